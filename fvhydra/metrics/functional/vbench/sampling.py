# SPDX-License-Identifier: Apache-2.0
"""Which frames of a clip a network is shown."""

from __future__ import annotations

import itertools

import numpy as np


def middle_frames(frames: int, count: int) -> list[int]:
    """The middles of ``count`` equal parts of a clip, as VBench takes them; the last one again where there are too few.

    Args:
        frames: T, at least 1.
        count: How many indices, at least 1.

    Raises:
        ValueError: ``frames`` or ``count`` is below 1.

    Example:
        >>> middle_frames(16, 4), middle_frames(2, 4)
        ([1, 5, 9, 13], [0, 1, 1, 1])
    """
    _require_positive(frames, count)
    edges = np.linspace(0, frames, min(count, frames) + 1).astype(int)
    middles = [(int(start) + int(end) - 1) // 2 for start, end in itertools.pairwise(edges)]
    return middles + [middles[-1]] * (count - len(middles))


def spread_frames(frames: int, count: int) -> list[int]:
    """``count`` frames from the first to the last one, as FastVideo's evaluation takes them; all where there are fewer.

    Args:
        frames: T, at least 1.
        count: At most how many indices, at least 1.

    Raises:
        ValueError: ``frames`` or ``count`` is below 1.

    Example:
        >>> spread_frames(16, 4), spread_frames(2, 4)
        ([0, 5, 10, 15], [0, 1])
    """
    _require_positive(frames, count)
    if count >= frames:
        return list(range(frames))
    return [int(index) for index in np.linspace(0, frames - 1, count)]


def _require_positive(frames: int, count: int) -> None:
    if frames < 1 or count < 1:
        raise ValueError(f"there must be frames to take and frames to take from, not {count} of {frames}")
