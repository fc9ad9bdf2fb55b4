# SPDX-License-Identifier: Apache-2.0
"""An output of both sides, held to what it may differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fvhydra.core.parity import ParityTarget
from fvhydra.core.verdict import Verdict
from fvhydra.parity.distances import distances

ROUNDING = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
"""Distance from 1 to the next number, by dtype: an official side that happens to be nearer leaves the candidate that."""


@dataclass(frozen=True)
class Allowance:
    """By how much outputs may differ.

    Attributes:
        tolerance: As a share of the official side's largest absolute value.
        factor: Where the truth is known: how many times the official side's error the candidate's may be.
        dtype: What the official side computes in, where an output does not say.
    """

    tolerance: float
    factor: float = 2.0
    dtype: str = ""


def compare_output(
    name: str,
    left: NDArray[Any] | None,
    right: NDArray[Any] | None,
    allowance: Allowance,
    truth: NDArray[Any] | None = None,
    no_truth: str = "",
) -> ParityTarget:
    """Compare an output.

    Args:
        name: What it is called.
        left: The official side's; None where it gave none.
        right: The candidate's.
        allowance: By how much it may differ. Whole numbers may not, but for levels of pixels: a value on the edge of
            one falls to either side.
        truth: The same, computed by the official side in a wider dtype; None where that is not known.
        no_truth: Why it is not known, where it was asked for.
    """
    shapes = [None if side is None else list(side.shape) for side in (left, right)]
    target = ParityTarget(name, shapes[0], shapes[1], no_truth=no_truth)
    if left is None or right is None:
        target.message = f"Only the {'candidate' if left is None else 'official side'} gave it."
    elif left.shape != right.shape:
        target.message = "The shapes differ."
    elif (between := distances(left, right)) is None:
        target.message = "One of them holds values that are not finite."
    else:
        target.max_abs, target.mean_abs, target.median_abs = between.max_abs, between.mean_abs, between.median_abs
        target.cosine, target.relative = between.cosine, between.relative
        target.allowed, measured = _rounded(left, allowance.tolerance), between.relative
        if truth is not None and _with_errors(target, left, right, truth, allowance):
            assert target.official_error is not None and target.candidate_error is not None
            least = ROUNDING.get(allowance.dtype, 0.0)
            target.allowed = _rounded(left, allowance.factor * max(target.official_error, least))
            measured = target.candidate_error
        target.verdict = Verdict.PASS if measured <= target.allowed else Verdict.REGRESSION
    return target


def _with_errors(
    target: ParityTarget, left: NDArray[Any], right: NDArray[Any], truth: NDArray[Any], allowance: Allowance
) -> bool:
    """Put the errors of both sides into ``target``; False where the wider run computes something else.

    An official side further from it than rounding may take it has drawn other noise there, and shows nothing.
    """
    if truth.shape != left.shape:
        target.no_truth = f"it is of shape {list(truth.shape)} there"
        return False
    official, candidate = distances(truth, left), distances(truth, right)
    if official is None or candidate is None:
        target.no_truth = "it is not finite there"
        return False
    if official.relative > _rounded(left, allowance.tolerance):
        target.no_truth = f"the official side is {official.relative:.2g} away from it, which is more than rounding"
        return False
    target.official_error, target.candidate_error = official.relative, candidate.relative
    return True


def _rounded(values: NDArray[Any], tolerance: float) -> float:
    """The tolerance with what rounding to whole numbers makes of it."""
    if not np.issubdtype(values.dtype, np.integer):
        return tolerance
    if values.dtype != np.uint8:
        return 0.0
    scale = float(np.abs(values.astype(np.float64)).max()) if values.size else 0.0
    return tolerance + (1.0 / scale if scale else 0.0)
