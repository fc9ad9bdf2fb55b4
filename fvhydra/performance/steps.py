# SPDX-License-Identifier: Apache-2.0
"""Where a metric changed and stayed so: change points of ruptures, on values whose outliers are pulled in.

Least squares with a linear penalty (R. Killick, P. Fearnhead, I. Eckley, "Optimal detection of changepoints with a
linear computational cost", 2012; C. Truong, L. Oudre, N. Vayatis, "ruptures", 2018).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

LEAST_POINTS = 5
"""Values on each side of a step."""
LEAST_SHARE = 0.01
"""Steps below this share of the value are of no interest."""

_NEIGHBOURS = 9
_SPREADS = 3.0
_PENALTY = 5.0
"""Times ``sigma ** 2 * log(n)``: what one more step must explain."""
_NORMAL = 1.4826
"""Median absolute deviation to standard deviation of normal noise."""


def find_steps(values: Sequence[float]) -> list[int]:
    """Indices at which values are others than before, and stay so.

    Args:
        values: Finite, in order.
    """
    import ruptures

    if len(values) < 2 * LEAST_POINTS:
        return []
    given = np.asarray(values, np.float64)
    noise = _noise(given)
    if noise == 0 and np.all(given == given[0]):
        return []
    calm = _pulled_in(given, noise)
    scale = max(noise, 1e-4 * float(np.median(np.abs(given))), 1e-12)
    penalty = _PENALTY * scale**2 * math.log(len(given))
    found = ruptures.KernelCPD(kernel="linear", min_size=LEAST_POINTS).fit(calm.reshape(-1, 1)).predict(pen=penalty)
    return _telling(given, [int(index) for index in found[:-1]])


def levels(values: Sequence[float], steps: Sequence[int]) -> list[float]:
    """The median of each stretch between steps."""
    edges = [0, *steps, len(values)]
    return [median(values[begin:end]) for begin, end in pairwise(edges)]


def _telling(given: NDArray[np.float64], steps: list[int]) -> list[int]:
    """Steps that are large enough; what is left out makes its neighbours longer, so they are looked at again."""
    while steps:
        found = levels(given.tolist(), steps)
        shares = [abs(after - before) / abs(before) if before else math.inf for before, after in pairwise(found)]
        least = min(range(len(shares)), key=shares.__getitem__)
        if shares[least] >= LEAST_SHARE:
            break
        steps = steps[:least] + steps[least + 1 :]
    return steps


def _noise(given: NDArray[np.float64]) -> float:
    """Standard deviation from one value to the next, which no step has a part in."""
    differences = np.diff(given)
    return float(np.median(np.abs(differences - np.median(differences)))) * _NORMAL / math.sqrt(2)


def _pulled_in(given: NDArray[np.float64], noise: float) -> NDArray[np.float64]:
    """Single outliers moved to the edge of what noise does; a median over neighbours keeps steps where they are."""
    half = _NEIGHBOURS // 2
    padded = np.pad(given, half, mode="edge")
    middle = np.median(np.lib.stride_tricks.sliding_window_view(padded, _NEIGHBOURS), axis=1)
    return np.clip(given, middle - _SPREADS * noise, middle + _SPREADS * noise)
