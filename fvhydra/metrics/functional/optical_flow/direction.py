# SPDX-License-Identifier: Apache-2.0
"""The focus of expansion of a flow field, and the divergence of two fields' directions and lengths."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fvhydra.metrics.functional.parity import Parity

Flow = NDArray[np.float32]

_STEP = 8
_LEAST_POINTS = 10
_LEAST_PX = 0.5
_ANGLES, _LENGTHS = 36, 20


def focus_of_expansion(flow: Flow, parity: Parity = "upstream") -> NDArray[np.float64]:
    """The point that all vectors point away from, or to: least squares of ``v fx - u fy = v x - u y``.

    Of the pixels of every eighth row and column, from the fourth, that move by more than 0.5 px. A nearly uniform flow
    has no such point: the solution of smallest norm is returned, not infinity.

    Args:
        flow: Real ``[H, W, 2]``.
        parity: Where fewer than ten pixels move, ``upstream`` has no point (NaN) and ``peer`` the centre.

    Returns:
        float64 ``[2]``: x and y in pixels.

    Example:
        >>> y, x = np.mgrid[:64, :64]
        >>> focus_of_expansion(np.stack([x - 20.0, y - 40.0], axis=-1)).round(6).tolist()
        [20.0, 40.0]
    """
    height, width = flow.shape[:2]
    y, x = np.mgrid[_STEP // 2 : height : _STEP, _STEP // 2 : width : _STEP]
    vectors = flow[y, x].astype(np.float64)
    moving = np.linalg.norm(vectors, axis=-1) > _LEAST_PX
    if moving.sum() < _LEAST_POINTS:
        return np.asarray([width / 2, height / 2] if parity == "peer" else [np.nan, np.nan])
    u, v = vectors[moving].T
    equations = np.stack([v, -u], axis=1)
    return np.asarray(np.linalg.lstsq(equations, v * x[moving] - u * y[moving], rcond=None)[0])


def histogram_divergence(reference: Flow, generated: Flow, parity: Parity = "upstream") -> float:
    """KL(reference || generated) of the histograms of angle and length, in nats; 0 or more, lower is better.

    36 bins of angle by 20 of length, spaced evenly in its logarithm from 0.5 px to the longest vector (1.5 px at
    least), of the vectors of 0.5 px or more, with one added to each bin.

    Args:
        reference: Real ``[H, W, 2]``.
        generated: Real ``[H, W, 2]``.
        parity: ``upstream`` gives both fields the same bins, and has no value (NaN) where either has fewer than ten
            such vectors. ``peer`` gives each field bins of its own, up to its own longest vector, so that a field of
            twice the length is hardly any different, and has 0 where there are too few vectors.

    Example:
        >>> right = np.full((8, 8, 2), (2.0, 0.0))
        >>> down = right[..., ::-1]
        >>> histogram_divergence(right, right), round(histogram_divergence(right, down), 3)
        (0.0, 0.341)
    """
    vectors = [flow.reshape(-1, 2) for flow in (reference, generated)]
    lengths = [np.linalg.norm(each, axis=-1) for each in vectors]
    longest = [float(each.max(initial=0)) for each in lengths]
    if parity == "upstream":
        longest = [max(longest)] * 2
    shares = []
    for each, length, most in zip(vectors, lengths, longest, strict=True):
        moving = length >= _LEAST_PX
        if moving.sum() < _LEAST_POINTS:
            return 0.0 if parity == "peer" else math.nan
        angles = np.degrees(np.arctan2(each[moving, 1], each[moving, 0])) % 360
        edges = np.linspace(0, 360, _ANGLES + 1), _length_edges(most)
        counts = np.histogram2d(angles, length[moving], bins=edges)[0] + 1
        shares.append(counts / counts.sum())
    return float((shares[0] * np.log(shares[0] / shares[1])).sum())


def _length_edges(longest: float) -> NDArray[np.float64]:
    # geomspace, unlike logspace, ends at the longest vector itself, which would be left out otherwise
    return np.geomspace(_LEAST_PX, max(longest, 1.5), _LENGTHS + 1)
