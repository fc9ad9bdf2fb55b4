# SPDX-License-Identifier: Apache-2.0
"""The parts of ``fvhydra.engines.diffusers``: device, weights, attention, arguments, outputs, times."""
