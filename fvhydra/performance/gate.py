# SPDX-License-Identifier: Apache-2.0
"""Whether a record is worse than its baseline: by more than a share of it *and* by more than a floor.

Fixed ceilings per GPU are a gate of their own. Where single runs are known, a metric whose interval of change holds the
threshold is inconclusive, and so is everything after fewer than three runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fvhydra.core.performance import BaselineRecord, PerfComparison, PerfMetric
from fvhydra.core.verdict import Verdict
from fvhydra.performance.history import Baseline, History
from fvhydra.performance.record import COMPONENTS, METRICS, Identity, Metric, PerfRecord
from fvhydra.performance.statistics import interval, share_of_change

LEAST_RUNS = 3
"""Runs below which nothing is said."""

Samples = Mapping[str, Sequence[float]]
"""Metric to its values, one a measured run."""


@dataclass(frozen=True)
class Policy:
    """By how much a metric may be worse, and whether it decides."""

    metric: Metric
    threshold_percent: float
    threshold_absolute: float
    gated: bool = True


@dataclass(frozen=True)
class Delta:
    """How much worse a value is than its baseline.

    Attributes:
        absolute: In the metric's unit; negative where it is better.
        share: The same as a share of the baseline.
        exceeded: Whether both thresholds are exceeded.
        regressed: Whether that decides.
    """

    absolute: float
    share: float
    exceeded: bool
    regressed: bool


def policies(overrides: Mapping[str, Any] | None = None) -> dict[str, Policy]:
    """The policy of each metric.

    Args:
        overrides: Metric to ``threshold_percent``, ``threshold_absolute``, ``gated``, each where it differs. What
            cannot be understood is as if it were not there, as elsewhere in the ecosystem.
    """
    given = {name: override for name, override in (overrides or {}).items() if isinstance(override, Mapping)}
    return {name: _policy(metric, given.get(name, {})) for name, metric in METRICS.items()}


def serialized(found: Mapping[str, Policy]) -> dict[str, dict[str, float | bool]]:
    """Policies as ``regression_thresholds`` of a record."""
    return {
        name: {
            "threshold_percent": policy.threshold_percent,
            "threshold_absolute": policy.threshold_absolute,
            "gated": policy.gated,
        }
        for name, policy in found.items()
    }


def delta(policy: Policy, current: float, baseline: float) -> Delta | None:
    """How much worse ``current`` is; None for a baseline of 0 or less, which gates nothing."""
    if baseline <= 0:
        return None
    absolute = baseline - current if policy.metric.higher_is_better else current - baseline
    share = absolute / baseline
    exceeded = share > policy.threshold_percent and absolute > policy.threshold_absolute
    return Delta(absolute, share, exceeded, policy.gated and exceeded)


def check(
    record: PerfRecord,
    history: History,
    *,
    samples: Samples | None = None,
    overrides: Mapping[str, Any] | None = None,
    ceilings: Mapping[str, float] | None = None,
    weights: str | None = "",
) -> PerfComparison:
    """Compare a record with the last eligible successes of its target.

    Args:
        record: What was measured.
        history: Of the store. The record itself, where it holds it, is left out.
        samples: Single runs; None where only medians are known, which then decide by themselves.
        overrides: See :func:`policies`; None: what the record itself says.
        ceilings: Metric to the most that it may be on this GPU.
        weights: Only records measured with such; empty: with those of the record; None: with any.
    """
    others = History(tuple(other for other in history.records if not _is_same(other, record)), history.revision)
    of_weights = record.weights if weights == "" else weights
    baseline = others.baseline(record.target, of_weights)
    runs = None if samples is None else max((len(values) for values in samples.values()), default=0)
    medians = baseline.medians
    found = policies(overrides if overrides is not None else _mapping(record.fields.get("regression_thresholds")))
    metrics = [
        _metric(policy, record.value(name), baseline, medians[name], samples, (ceilings or {}).get(name), runs)
        for name, policy in found.items()
    ]
    verdict, reason = _verdict(record, metrics, baseline, others, of_weights, runs)
    metrics.append(_rest(metrics))
    return PerfComparison(
        model_id=record.model_id,
        gpu_type=record.gpu_type,
        timestamp=record.timestamp,
        commit_sha=record.commit_sha,
        target=str(record.target),
        verdict=verdict,
        reason=reason,
        runs=runs,
        weights=record.weights,
        metrics=metrics,
        baseline=[BaselineRecord(each.path, each.timestamp, each.commit_sha) for each in baseline.records],
        eligible=baseline.eligible,
    )


# ------------------------------------------------------------------------------------------------------------- metrics
def _policy(metric: Metric, override: Mapping[str, Any]) -> Policy:
    percent, absolute = (_number(override.get(key)) for key in ("threshold_percent", "threshold_absolute"))
    gated = _truth(override.get("gated"))
    return Policy(
        metric,
        metric.threshold_percent if percent is None else percent,
        metric.threshold_absolute if absolute is None else absolute,
        True if gated is None else gated,
    )


def _metric(
    policy: Policy,
    current: float | None,
    baseline: Baseline,
    median: float | None,
    samples: Samples | None,
    ceiling: float | None,
    runs: int | None,
) -> PerfMetric:
    metric = policy.metric
    worse = delta(policy, current, median) if current is not None and median is not None else None
    values = (samples or {}).get(metric.name)
    between = None
    if worse is not None and values:
        before = [value for record in baseline.records if (value := record.value(metric.name)) is not None]
        # a record of 0 or less among positive ones has no share
        between = interval(before, values, share_of_change) if min(before) > 0 else None
    return PerfMetric(
        name=metric.name,
        title=metric.title,
        unit=metric.unit,
        higher_is_better=metric.higher_is_better,
        current=current,
        baseline=median,
        change=None if worse is None else (0.0 - worse.share if metric.higher_is_better else worse.share),
        interval=between,
        threshold_percent=policy.threshold_percent,
        threshold_absolute=policy.threshold_absolute,
        gated=policy.gated,
        verdict=None if worse is None else _of_metric(policy, worse, median or 0.0, between, runs),
        ceiling=ceiling,
        over_ceiling=ceiling is not None and current is not None and current > ceiling,
        message=_why_nothing(current, median, baseline),
    )


def _of_metric(
    policy: Policy, worse: Delta, median: float, between: tuple[float, float] | None, runs: int | None
) -> Verdict:
    if runs is not None and runs < LEAST_RUNS:
        return Verdict.INCONCLUSIVE
    if between is not None:
        low, high = (-between[1], -between[0]) if policy.metric.higher_is_better else between
        threshold = max(policy.threshold_percent, policy.threshold_absolute / median)
        if low <= threshold < high:
            return Verdict.INCONCLUSIVE
    return Verdict.REGRESSION if worse.exceeded else Verdict.PASS


def _why_nothing(current: float | None, median: float | None, baseline: Baseline) -> str:
    if current is None:
        return "not measured"
    if median is None:
        return "not measured by the baseline" if baseline.records else "no baseline"
    return "" if median > 0 else f"a baseline of {median:g} gates nothing"


def _rest(metrics: Sequence[PerfMetric]) -> PerfMetric:
    """What of the latency no component accounts for, so that one that is not measured does not look fast."""
    found = {metric.name: metric for metric in metrics}
    parts = [found[name] for name in COMPONENTS]
    current, baseline = (
        latency - sum(value or 0.0 for value in values)
        if latency is not None and any(value is not None for value in values)
        else None
        for latency, values in (
            (found["latency"].current, [part.current for part in parts]),
            (found["latency"].baseline, [part.baseline for part in parts]),
        )
    )
    return PerfMetric(
        name="other_time_s",
        title="everything else",
        unit="s",
        higher_is_better=False,
        current=current,
        baseline=baseline,
        change=(current - baseline) / baseline
        if current is not None and baseline is not None and baseline > 0
        else None,
        interval=None,
        threshold_percent=0.0,
        threshold_absolute=0.0,
        gated=False,
        verdict=None,
        message="" if current is not None else "not measured",
    )


# ------------------------------------------------------------------------------------------------------------- verdict
def _verdict(
    record: PerfRecord,
    metrics: Sequence[PerfMetric],
    baseline: Baseline,
    history: History,
    weights: str | None,
    runs: int | None,
) -> tuple[Verdict, str]:
    """Of all metrics, and why. What is surely wrong comes before what is not known."""
    over = [
        f"{each.title} {each.current:g} {each.unit}, at most {each.ceiling:g}" for each in metrics if each.over_ceiling
    ]
    if over:
        return Verdict.REGRESSION, f"Over the fixed ceiling of this GPU: {'; '.join(over)}."
    gated = {each.title: each.verdict for each in metrics if each.gated and each.verdict is not None}
    if worse := [title for title, verdict in gated.items() if verdict == Verdict.REGRESSION]:
        return Verdict.REGRESSION, f"Worse than the baseline: {', '.join(worse)}."
    if not record.success:
        return Verdict.INFRASTRUCTURE, "The run failed, and no gate explains it."
    if not baseline.records:
        return _without_baseline(record, history, weights)
    if not gated:
        return Verdict.INCONCLUSIVE, "No metric was measured both now and by the baseline."
    if runs is not None and runs < LEAST_RUNS:
        return Verdict.INCONCLUSIVE, f"{runs} run(s) were measured; nothing is said of fewer than {LEAST_RUNS}."
    if unsure := [title for title, verdict in gated.items() if verdict == Verdict.INCONCLUSIVE]:
        return Verdict.INCONCLUSIVE, f"Too noisy to say whether the threshold is exceeded: {', '.join(unsure)}."
    return Verdict.PASS, f"Within the thresholds of {len(baseline.records)} record(s)."


def _without_baseline(record: PerfRecord, history: History, weights: str | None) -> tuple[Verdict, str]:
    identity = record.identity
    if isinstance(identity, Identity) and (others := history.trusted_with_another_recipe(identity, weights)):
        return (
            Verdict.RECIPE_MISMATCH,
            f"{len(others)} trusted record(s) of {identity.workload_id} {identity.variant_id} version "
            f"{identity.benchmark_version} were made by another recipe, the newest {others[-1].path}.",
        )
    return Verdict.NO_REFERENCE, f"There is no eligible record of {record.target}."


# ------------------------------------------------------------------------------------------------------------- inwards
def _is_same(record: PerfRecord, other: PerfRecord) -> bool:
    """Whether both are of the same measurement; the one in the store has learnt since how it compared."""
    key = (record.model_id, record.timestamp, record.commit_sha)
    return bool(record.timestamp) and key == (other.model_id, other.timestamp, other.commit_sha)


def _mapping(value: Any) -> Mapping[str, Any] | None:
    return value if isinstance(value, Mapping) else None


def _number(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None


_TRUTHS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else _TRUTHS.get(value.strip().lower()) if isinstance(value, str) else None
