# SPDX-License-Identifier: Apache-2.0
"""How far two tensors of one shape are from each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fvhydra.similarity.latent import cosine_distance


@dataclass(frozen=True)
class Distances:
    """Of a tensor from another, whose largest absolute value is the scale.

    Attributes:
        max_abs: Largest absolute difference.
        mean_abs: Mean of the absolute differences.
        median_abs: Their median.
        cosine: 1 - cos of both as vectors, 0 to 2.
        relative: ``max_abs`` as a share of the scale; of the difference itself where that is 0.
    """

    max_abs: float
    mean_abs: float
    median_abs: float
    cosine: float
    relative: float


def distances(official: NDArray[np.floating], candidate: NDArray[np.floating]) -> Distances | None:
    """Distances of two arrays of one shape; None where either is not finite, or both are empty.

    >>> distances(np.array([0.0, 2.0]), np.array([0.0, 1.0]))
    Distances(max_abs=1.0, mean_abs=0.5, median_abs=0.5, cosine=0.0, relative=0.5)
    """
    left, right = (np.asarray(side, np.float64).ravel() for side in (official, candidate))
    if not left.size or not (np.isfinite(left).all() and np.isfinite(right).all()):
        return None
    difference = np.abs(left - right)
    most, scale = float(difference.max()), float(np.abs(left).max())
    return Distances(
        max_abs=most,
        mean_abs=float(difference.mean()),
        median_abs=float(np.median(difference)),
        cosine=cosine_distance(left, right),
        relative=most / scale if scale else float(most > 0),
    )
