# SPDX-License-Identifier: Apache-2.0
"""The numbers of a case beside their limits, and the order in which cases deserve a look."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from fvhydra.core.artifacts import LatentComparison
from fvhydra.core.result import CaseResult
from fvhydra.report.wording import number


@dataclass(frozen=True)
class MeasuredValue:
    """A number of a case's comparison, with its limit.

    Attributes:
        key: Its name in ``CaseResult.comparison``.
        name: Its name for people.
        value: None when it was not measured.
        limit: What passes, such as ``≥ 0.93``; empty when nothing is asked of it.
        passed: None without a limit.
        bound: The number in the limit; 0 without one.
    """

    key: str
    name: str
    value: float | None
    limit: str = ""
    passed: bool | None = None
    bound: float = 0.0

    @property
    def missed_by(self) -> float:
        """How far the value is from its limit."""
        return abs((self.value or 0.0) - self.bound)


def measured_values(case: CaseResult) -> list[MeasuredValue]:
    """The numbers of ``case.comparison``, the gated ones first; empty when nothing was compared."""
    found = case.comparison
    if found is None:
        return []
    if isinstance(found, LatentComparison):
        most = found.thresholds
        slice_limit, full_limit = (most.slice_cosine, most.full_cosine) if most else (None, None)
        return [
            _at_most("slice_cosine_distance", "slice cosine distance", found.slice_cosine_distance, slice_limit),
            _at_most("full_cosine_distance", "full cosine distance", found.full_cosine_distance, full_limit),
            MeasuredValue("max_abs_diff", "largest absolute difference", found.max_abs_diff),
        ]
    least = found.thresholds
    mean_limit, min_limit = (least.mean_ms_ssim, least.min_ms_ssim) if least else (None, None)
    return [
        _at_least("mean_ssim", "mean MS-SSIM", found.mean_ssim, mean_limit),
        _at_least("min_ssim", "worst frame's MS-SSIM", found.min_ssim, min_limit),
        MeasuredValue("max_ssim", "best frame's MS-SSIM", found.max_ssim),
        *(_mean(name, values) for name, values in found.metrics.items()),
    ]


def _mean(name: str, values: list[float | None]) -> MeasuredValue:
    """Of the frames that have a finite value: the PSNR of equal frames is infinite, and in no mean."""
    finite = [value for value in values if value is not None]
    if values and not finite:
        return MeasuredValue(name, f"mean {name}", math.inf)
    left_out = len(values) - len(finite)
    among = f" without {left_out} infinite frame(s)" if left_out else ""
    return MeasuredValue(name, f"mean {name}{among}", sum(finite) / len(finite) if finite else None)


def headline(case: CaseResult) -> str:
    """The one number that stands for the case in a table, with its limit; empty when nothing was compared."""
    gated = [m for m in measured_values(case) if m.value is not None]
    shown = next((m for m in gated if m.passed is False), gated[0] if gated else None)
    return f"{shown.name} {number(shown.value)} ({shown.limit})".replace(" ()", "") if shown else ""


def worst_misses(cases: Iterable[CaseResult]) -> list[tuple[CaseResult, MeasuredValue]]:
    """For every number that is outside its limit in some case: the case that has it farthest outside, and the number.

    Cases without numbers, because nothing could be compared, are left out.
    """
    found: dict[str, tuple[CaseResult, MeasuredValue]] = {}
    for case in cases:
        for measure in measured_values(case):
            if measure.passed is not False or measure.value is None:
                continue
            if measure.key not in found or measure.missed_by > found[measure.key][1].missed_by:
                found[measure.key] = case, measure
    return list(found.values())


def worst_first(cases: Iterable[CaseResult]) -> list[CaseResult]:
    """Cases by verdict, then by how far a number is outside its limit, or else from identical; then in their order."""
    return sorted(cases, key=lambda case: (-case.verdict.exit_code, -_distance(case), case.index))


def _distance(case: CaseResult) -> float:
    found = case.comparison
    if found is None:
        return 0.0
    if found.difference:
        return math.inf
    if missed := [measure.missed_by for measure in measured_values(case) if measure.passed is False]:
        return max(missed)
    if isinstance(found, LatentComparison):
        return found.full_cosine_distance or 0.0
    return 0.0 if found.mean_ssim is None else 1.0 - found.mean_ssim


def _at_most(key: str, name: str, value: float | None, limit: float | None) -> MeasuredValue:
    if limit is None:
        return MeasuredValue(key, name, value)
    return MeasuredValue(key, name, value, f"≤ {limit:g}", value is not None and value <= limit, limit)


def _at_least(key: str, name: str, value: float | None, limit: float | None) -> MeasuredValue:
    if limit is None:
        return MeasuredValue(key, name, value)
    return MeasuredValue(key, name, value, f"≥ {limit:g}", value is not None and value >= limit, limit)
