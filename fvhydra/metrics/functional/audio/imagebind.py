# SPDX-License-Identifier: Apache-2.0
"""Which parts of a recording ImageBind's own code takes (Girdhar et al. 2023, with the samplers of PyTorchVideo)."""

from __future__ import annotations

import math
from fractions import Fraction


def clip_starts(duration_s: float, clip_s: int, count: int) -> list[Fraction]:
    """Where ``count`` clips of ``clip_s`` begin, s. They are spread so that the last does not reach the end.

    Example:
        >>> [float(start) for start in clip_starts(5.0, 2, 5)], clip_starts(1.5, 2, 3)
        ([0.0, 0.6, 1.2, 1.8, 2.4], [Fraction(0, 1), Fraction(0, 1), Fraction(0, 1)])
    """
    free = Fraction(max(duration_s - clip_s, 0))
    return [free / count * index for index in range(count)]


def pair_at(start_s: Fraction, clip_s: int, fps: float, frames: int) -> tuple[int, int]:
    """The first and the last frame of a clip.

    Args:
        start_s: Where it begins.
        clip_s: How long it is.
        fps: Frames a second.
        frames: Of the video.

    Example:
        >>> pair_at(Fraction(3, 5), 2, 24.0, 120)
        (15, 62)
    """
    end = min(math.ceil(fps * float(start_s + clip_s)), frames)
    return min(math.ceil(fps * float(start_s)), end - 1), end - 1
