# SPDX-License-Identifier: Apache-2.0
"""``op.gate``: holding metrics to limits. What was not measured never passes."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import numpy as np

from fvhydra.config.gates import Limit, limits
from fvhydra.config.problems import listing, nearest
from fvhydra.core.comparison import MetricComparison, Pair
from fvhydra.core.errors import UsageError
from fvhydra.core.result import GateResult
from fvhydra.core.scores import UNDEFINED, MetricSummary, ScoreRow
from fvhydra.core.text import printable
from fvhydra.core.verdict import Verdict

_STATISTICS: dict[str, Callable[[list[float]], float]] = {"min": min, "max": max}
_WORST = 5


@dataclass(frozen=True)
class Measured:
    """The values of a metric that a limit can be applied to.

    Attributes:
        value: Over all samples; None where there is none.
        samples: Value by sample, infinite ones included; empty for a metric of the whole set.
        without: How many samples have no value.
        why: What is said when there is no value.
        noun: What the numbers are called.
    """

    value: float | None
    samples: Mapping[str, float] = field(default_factory=dict)
    without: int = 0
    why: str = ""
    noun: str = "value"


def refuse_unknown(gate: Mapping[str, Any], metrics: Collection[str]) -> None:
    """Refuse limits on metrics that are not going to be measured, before anything is.

    Raises:
        UsageError: Lists all of them.
    """
    listed = ", ".join(sorted(metrics))
    problems = [
        f"op.gate names {name}, which metrics= does not choose.{nearest(name, metrics)} Chosen: {listed}."
        for name in gate
        if name not in metrics
    ]
    if problems:
        raise UsageError(
            listing(problems), "Choose it with metrics= or +metrics.use.<id>={}; `fvhydra op=metrics` lists all."
        )


def evaluate(gate: Mapping[str, Any], measured: Mapping[str, Measured]) -> list[GateResult]:
    """Hold every metric of ``op.gate`` to its limits, in the order given."""
    return [_held(metric, limit, measured) for metric, found in limits(dict(gate)).items() for limit in found]


def of_scores(summaries: Sequence[MetricSummary], rows: Sequence[ScoreRow]) -> dict[str, Measured]:
    """The values of an evaluation, for :func:`evaluate`."""
    samples: dict[str, dict[str, float]] = {summary.metric: {} for summary in summaries}
    for row in rows:
        if row.number is not None:
            samples.setdefault(row.metric, {})[row.sample] = row.number
    return {
        summary.metric: Measured(
            summary.value,
            samples[summary.metric],
            sum(summary.counts.get(status, 0) for status in ("skipped", "failed")) + summary.reasons.get(UNDEFINED, 0),
            summary.message or _reasons(summary),
        )
        for summary in summaries
    }


def of_comparison(comparisons: Sequence[MetricComparison], pairs: Sequence[Pair]) -> dict[str, Measured]:
    """The numbers of a comparison that limits apply to: differences of the second evaluation from the first."""
    samples: dict[str, dict[str, float]] = {comparison.metric: {} for comparison in comparisons}
    for pair in pairs:
        samples[pair.metric][pair.sample] = pair.difference
    return {
        comparison.metric: Measured(
            comparison.difference,
            samples[comparison.metric],
            sum(comparison.unpaired),
            comparison.message,
            "difference",
        )
        for comparison in comparisons
    }


def _held(metric: str, limit: Limit, measured: Mapping[str, Measured]) -> GateResult:
    found = measured.get(metric)
    if found is None:
        listed = ", ".join(measured) or "none"
        message = f"{metric} was not measured.{nearest(metric, measured)} Measured: {listed}."
        return GateResult(metric, str(limit), Verdict.INCONCLUSIVE, message)
    value = _statistic(found, limit)
    if value is None:
        why = found.why or "no sample has a value"
        if limit.statistic and found.value is not None:
            why = f"it has one value for the whole set, so there is no {limit.statistic} over samples"
        message = f"{metric} cannot be held to {limit}: {why.rstrip('.')}."
        return GateResult(metric, str(limit), Verdict.INCONCLUSIVE, message)
    holds = limit.holds(value)
    without = f"; {found.without} sample(s) without a value" if found.without else ""
    what = " ".join(filter(None, (limit.statistic, found.noun)))
    message = f"{metric} {what} is {_number(value)}, allowed {limit.relation} {limit.value:g}{without}."
    verdict = Verdict.PASS if holds else Verdict.REGRESSION
    kept = value if math.isfinite(value) else None
    return GateResult(metric, str(limit), verdict, message, kept, [] if holds else _worst(found, limit))


def _statistic(found: Measured, limit: Limit) -> float | None:
    """The number that the limit applies to. Infinite values are in no mean; one on the wrong side breaks the limit."""
    values = list(found.samples.values())
    if limit.statistic in ("min", "max") and values:
        return _STATISTICS[limit.statistic](values)
    if limit.statistic.startswith("p") and values:
        # between a number and infinity there is nothing to interpolate
        method = "linear" if all(map(math.isfinite, values)) else "nearest"
        return float(np.percentile(values, int(limit.statistic[1:]), method=method))  # type: ignore[call-overload]
    wrong = -math.inf if limit.from_below else math.inf
    if wrong in values:
        return wrong
    finite = [value for value in values if math.isfinite(value)]
    if values and not finite:
        return values[0]
    return found.value if not limit.statistic else fmean(finite) if finite else None


def _number(value: float) -> str:
    return f"{value:.6g}".replace("inf", "infinite")


def _worst(found: Measured, limit: Limit) -> list[str]:
    ordered = sorted(found.samples.items(), key=lambda item: (item[1] if limit.from_below else -item[1], item[0]))
    return [f"{printable(sample)}: {_number(value)}" for sample, value in ordered[:_WORST]]


def _reasons(summary: MetricSummary) -> str:
    return ", ".join(f"{count} sample(s) {code}" for code, count in summary.reasons.items())
