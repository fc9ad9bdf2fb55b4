# SPDX-License-Identifier: Apache-2.0
"""The geometry of a distribution; the template draws it as SVG, so it is there without any script."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_MOST_BINS = 40


@dataclass(frozen=True)
class Bar:
    """A bin, in percent of the box. ``low`` and ``high`` are its edges."""

    x: float
    width: float
    height: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Histogram:
    """A distribution in a box of 100 x 100.

    Attributes:
        low: Value at the left edge.
        high: Value at the right edge.
        most: Count of the highest bar.
        mark: x of the value that stands for all, in percent.
        limits: (label, x) of each gate that lies within.
    """

    bars: list[Bar]
    low: float
    high: float
    most: int
    mark: float | None
    limits: list[tuple[str, float]]


def histogram(
    values: Sequence[float], mark: float | None = None, limits: Sequence[tuple[str, float]] = ()
) -> Histogram | None:
    """Count values in bins of equal width; None where there are fewer than two values.

    Args:
        values: Finite.
        mark: The value that stands for all.
        limits: (label, value) of each gate.
    """
    if len(values) < 2:
        return None
    counts, edges = np.histogram(values, bins=min(_MOST_BINS, max(5, math.ceil(2 * math.sqrt(len(values))))))
    low, high, most = float(edges[0]), float(edges[-1]), int(counts.max())

    def x(value: float) -> float:
        return round((value - low) / (high - low) * 100, 3)

    bars = [
        Bar(x(left), round(100 / counts.size, 3), round(count / most * 100, 3), float(left), float(right), int(count))
        for count, left, right in zip(counts, edges, edges[1:], strict=False)
    ]
    within = [(label, x(value)) for label, value in limits if low <= value <= high]
    return Histogram(bars, low, high, most, x(mark) if mark is not None and low <= mark <= high else None, within)
