# SPDX-License-Identifier: Apache-2.0
"""Sizes that a model can really produce. Libraries round others, silently or not: here they are problems."""

from __future__ import annotations

from fvhydra.config.model import ModelConfig
from fvhydra.config.sampling import Sampling

MS_SSIM_ABOVE = 160
"""Five scales of MS-SSIM need more pixels than this; values of fewer scales cannot be compared with their limits."""

MOST_PIXELS = 2**32
"""Of all frames of a clip: 2,000 frames of 1920x1080 have fewer."""


def problems(model: ModelConfig, sampling: Sampling, compared: bool = True) -> list[str]:
    """What of ``sampling`` the model cannot do, one sentence each; empty when all is well.

    A sentence names the full key, the value, the rule and the nearest legal values. Null sizes are the library's own
    and always legal.

    Args:
        compared: Whether the clips will be compared, for which they must be large enough.
    """
    limits = model.constraints
    found = []
    if sampling.num_frames is not None and sampling.num_frames not in limits.frames_also:
        step = limits.frames_multiple
        rule = f"a multiple of {step} plus 1"
        found += _off_grid("sampling.num_frames", sampling.num_frames, step, 1, rule, model.name)
        if sampling.num_frames <= limits.frames_dropped:
            found.append(
                f"sampling.num_frames={sampling.num_frames}: must be more than {limits.frames_dropped} for "
                f"model={model.name}, which returns that many frames fewer than asked."
            )
    for key in ("height", "width"):
        value = getattr(sampling, key)
        if value is not None:
            step = limits.size_multiple
            found += _off_grid(f"sampling.{key}", value, step, 0, f"a multiple of {step}", model.name)
            if compared and model.artifact == "pixel" and value <= MS_SSIM_ABOVE:
                found.append(f"sampling.{key}={value}: five-scale MS-SSIM needs more than {MS_SSIM_ABOVE}.")
    pixels = (sampling.num_frames or 1) * (sampling.height or 1) * (sampling.width or 1)
    if pixels > MOST_PIXELS:
        found.append(f"sampling.num_frames x height x width = {pixels:,} pixels: must be at most {MOST_PIXELS:,}.")
    return found


def _off_grid(key: str, value: int, step: int, offset: int, rule: str, model: str) -> list[str]:
    if (value - offset) % step == 0 and value > 0:
        return []
    below = (value - offset) // step * step + offset
    nearest = [str(legal) for legal in (below, below + step) if legal > 0]
    return [f"{key}={value}: must be {rule} for model={model}; nearest: {' or '.join(nearest)}."]
