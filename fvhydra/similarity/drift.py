# SPDX-License-Identifier: Apache-2.0
"""How a clip looks, in a few numbers that need no network, so that a story can be seen to drift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 8
"""Of each channel of a colour histogram."""

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # ITU-R BT.709


@dataclass(frozen=True)
class Looks:
    """How a clip looks.

    Attributes:
        luma: Mean of each frame, 0 to 255.
        saturation: Mean over the pixels of each frame of the largest channel minus the smallest, 0 to 255.
        sharpness: Variance of the Laplacian of each frame's luma (4 neighbours, the border left out).
        histogram: Share of all pixels in each of ``BINS**3`` colours, sum 1.
    """

    luma: list[float]
    saturation: list[float]
    sharpness: list[float]
    histogram: list[float]


def looks(frames: NDArray[np.uint8]) -> Looks:
    """Look at a clip, frame by frame.

    Args:
        frames: uint8 ``[T, H, W, 3]`` RGB.

    Example:
        >>> found = looks(np.full((2, 4, 4, 3), 100, np.uint8))
        >>> found.luma, found.saturation, found.sharpness
        ([100.0, 100.0], [0.0, 0.0], [0.0, 0.0])
    """
    luma, saturation, sharpness = [], [], []
    counts = np.zeros(BINS**3, np.int64)
    for frame in frames:
        grey = frame @ _LUMA
        luma.append(round(float(grey.mean(dtype=np.float64)), 3))
        saturation.append(round(float((frame.max(axis=-1) - frame.min(axis=-1)).mean(dtype=np.float64)), 3))
        laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
        sharpness.append(round(float(laplacian.var(dtype=np.float64)), 3) if laplacian.size else 0.0)
        bins = (frame // (256 // BINS)).astype(np.int32)
        counts += np.bincount(((bins[..., 0] * BINS + bins[..., 1]) * BINS + bins[..., 2]).ravel(), minlength=BINS**3)
    total = max(int(counts.sum()), 1)
    return Looks(luma, saturation, sharpness, [round(float(count / total), 6) for count in counts])


def histogram_distance(one: list[float], other: list[float]) -> float:
    """How different two colour histograms are: half the sum of absolute differences, 0 (equal) to 1 (no colour shared).

    Example:
        >>> histogram_distance([0.5, 0.5], [0.5, 0.5]), histogram_distance([1.0, 0.0], [0.0, 1.0])
        (0.0, 1.0)
    """
    return float(np.abs(np.subtract(one, other)).sum() / 2)


def mean_difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float | None:
    """Mean absolute difference of two frames, in levels of 255; None where their sizes differ.

    Args:
        one: uint8 ``[H, W, 3]``.
        other: The same.
    """
    if one.shape != other.shape:
        return None
    return float(np.abs(one.astype(np.int16) - other.astype(np.int16)).mean(dtype=np.float64))
