# SPDX-License-Identifier: Apache-2.0
"""Medians, and how sure their changes are: the percentile bootstrap (B. Efron, "Bootstrap Methods", 1979), seeded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
LEVEL = 0.95

Statistic = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
"""Of the medians of both sides, one a resample, float64 ``[R]`` each."""


def median_of(values: Iterable[float | None]) -> float | None:
    """The median of what was measured; None where nothing was.

    Example:
        >>> median_of([3.0, None, 1.0]), median_of([None])
        (2.0, None)
    """
    measured = [value for value in values if value is not None]
    return median(measured) if measured else None


def interval(
    before: Sequence[float], after: Sequence[float], statistic: Statistic, *, seed: int = 0, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """The 95 % interval of a statistic of two medians, both sides resampled by themselves.

    Args:
        before: At least one value; a single one is taken as certain.
        after: The same.
        statistic: What is made of the medians, as :func:`share_of_change`.
        seed: Equal values and seed give equal intervals, in any process.
        resamples: How many.
    """
    draw = np.random.default_rng(seed)
    first, second = (_medians(values, draw, resamples) for values in (before, after))
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(statistic(first, second), [tail, 1 - tail])
    return float(low), float(high)


def share_of_change(before: Any, after: Any) -> Any:
    """``(after - before) / before``: 0.1 where it grew by 10 %."""
    return (after - before) / before


def _medians(values: Sequence[float], draw: np.random.Generator, resamples: int) -> NDArray[np.float64]:
    found = np.asarray(values, np.float64)
    return np.asarray(np.median(found[draw.integers(0, found.size, (resamples, found.size))], axis=1), np.float64)
