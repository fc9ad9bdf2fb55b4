# SPDX-License-Identifier: Apache-2.0
"""An output of both sides, held to what it may differ."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fvhydra.core.parity import ParityTarget
from fvhydra.core.verdict import Verdict
from fvhydra.parity.distances import distances


def compare_output(name: str, left: NDArray[Any] | None, right: NDArray[Any] | None, tolerance: float) -> ParityTarget:
    """Compare an output.

    Args:
        name: What it is called.
        left: The official side's; None where it gave none.
        right: The candidate's.
        tolerance: By how much it may differ, as a share of the official side's largest absolute value. Whole numbers
            may not, but for levels of pixels: a value on the edge of one falls to either side.
    """
    shapes = [None if side is None else list(side.shape) for side in (left, right)]
    target = ParityTarget(name, shapes[0], shapes[1])
    if left is None or right is None:
        target.message = f"Only the {'candidate' if left is None else 'official side'} gave it."
    elif left.shape != right.shape:
        target.message = "The shapes differ."
    elif (between := distances(left, right)) is None:
        target.message = "One of them holds values that are not finite."
    else:
        target.max_abs, target.mean_abs, target.median_abs = between.max_abs, between.mean_abs, between.median_abs
        target.cosine, target.relative = between.cosine, between.relative
        target.allowed = _rounded(left, tolerance)
        target.verdict = Verdict.PASS if between.relative <= target.allowed else Verdict.REGRESSION
    return target


def _rounded(values: NDArray[Any], tolerance: float) -> float:
    """The tolerance with what rounding to whole numbers makes of it."""
    if not np.issubdtype(values.dtype, np.integer):
        return tolerance
    if values.dtype != np.uint8:
        return 0.0
    scale = float(np.abs(values.astype(np.float64)).max()) if values.size else 0.0
    return tolerance + (1.0 / scale if scale else 0.0)
