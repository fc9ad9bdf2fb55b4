"""The parts of ``fvhydra.engines.diffusers``: device, weights, attention, arguments, outputs, times."""
