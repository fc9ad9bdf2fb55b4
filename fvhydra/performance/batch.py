# SPDX-License-Identifier: Apache-2.0
"""Whether the sources of a re-seed agree with each other, and what of a batch that does still looks wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fvhydra.core.baseline import BaselineMetric, BaselineWarning
from fvhydra.core.errors import UsageError
from fvhydra.performance.history import WINDOW
from fvhydra.performance.record import METRICS, Metric, PerfRecord
from fvhydra.performance.sources import Source
from fvhydra.performance.statistics import median_of

FEW_SOURCES = 3

_DIRTY_KEYS = ("git_dirty", "engine.git_dirty")


def batch_metrics(sources: Sequence[Source]) -> list[BaselineMetric]:
    """Each metric over a batch: values, median, spread, and how far the worst source is on the median's bad side."""
    return [_metric(metric, [source.record.value(metric.name) for source in sources]) for metric in METRICS.values()]


def refuse_mixed(metrics: Sequence[BaselineMetric], allowed: float) -> None:
    """Refuse a batch whose sources disagree; none is left out silently.

    Args:
        metrics: Of the batch.
        allowed: The share of the batch's median by which a source may be worse.

    Raises:
        UsageError: With a line for each metric: values, median and worst.
    """
    broken = [metric for metric in metrics if metric.worst is not None and metric.worst > allowed]
    if not broken:
        return
    lines = []
    for metric in (metric for metric in metrics if metric.batch_median is not None):
        values = ", ".join("-" if value is None else f"{value:g}" for value in metric.values)
        worst = "" if metric.worst is None else f", worst {metric.worst:.1%} off"
        mark = "  <- too far" if metric in broken else ""
        lines.append(f"\n    {metric.name} ({metric.unit}): {values}; median {metric.batch_median:g}{worst}{mark}")
    raise UsageError(
        f"The sources disagree: {', '.join(metric.name for metric in broken)} of one is more than {allowed:.1%} worse "
        f"than the batch's median:{''.join(lines)}",
        "Measure again, or give the sources of one state of the machine; "
        "op.max_intra_batch_regression=<share> allows more.",
    )


def batch_warnings(
    sources: Sequence[Source], metrics: Sequence[BaselineMetric], allowed: float, records: Sequence[PerfRecord]
) -> list[BaselineWarning]:
    """What a reviewer should know of a batch that agrees, by name.

    Args:
        sources: In order.
        metrics: Of the batch.
        allowed: See :func:`refuse_mixed`.
        records: Of the target, in order.
    """
    found = []
    if len(sources) < FEW_SOURCES:
        found.append(BaselineWarning("few_sources", f"{len(sources)} source(s); {FEW_SOURCES} or more tell of noise."))
    wide = [m for m in metrics if m.worst is not None and m.worst > allowed / 2]
    if wide:
        listed = ", ".join(f"{m.name} {m.worst:.1%}" for m in wide)
        found.append(BaselineWarning("wide_spread", f"More than half of the {allowed:.1%} that are allowed: {listed}."))
    newest = max((record.order[0] for record in records), default=None)
    if newest and (old := [s.given for s in sources if s.record.time and s.record.time < newest]):
        found.append(BaselineWarning("old_sources", f"Older than the newest record of the target: {', '.join(old)}."))
    if dirty := [source.given for source in sources if _is_dirty(source.record)]:
        found.append(BaselineWarning("dirty_tree", f"Measured with uncommitted changes: {', '.join(dirty)}."))
    commits = list(dict.fromkeys(source.record.commit_sha or "unknown" for source in sources))
    if len(commits) > 1:
        found.append(BaselineWarning("several_commits", f"Of several commits: {', '.join(c[:12] for c in commits)}."))
    if failed := [source.given for source in sources if not source.record.success]:
        found.append(BaselineWarning("failed_sources", f"Of runs that say success=false: {', '.join(failed)}."))
    return found


def window_note(before: int, batch: int) -> str:
    """What a batch does to a median of the last records.

    Args:
        before: Eligible successes that there are.
        batch: How many are added.
    """
    if not before:
        which = f"these {batch}" if batch <= WINDOW else f"the last {WINDOW} of these {batch}"
        return f"There is no baseline yet; it becomes the median of {which} record(s)."
    old = min(before, WINDOW)
    kept = min(old, max(WINDOW - batch, 0))
    usual = "1 record usually does not move a median of the last 5, 3 usually do, 5 reset the window"
    return (
        f"{before} successful record(s) are there. Of the {WINDOW} that the baseline becomes the median of, {kept} "
        f"stay(s) and {min(batch, WINDOW)} are of this batch: {usual}."
    )


def _metric(metric: Metric, values: list[float | None]) -> BaselineMetric:
    measured = [value for value in values if value is not None]
    middle = median_of(values)
    worst = spread = None
    if middle is not None and middle > 0 and len(measured) > 1:
        sign = -1 if metric.higher_is_better else 1
        worst = max(0.0, *(sign * (value - middle) / middle for value in measured))
        spread = (max(measured) - min(measured)) / middle
    return BaselineMetric(
        metric.name, metric.title, metric.unit, metric.higher_is_better, values, middle, worst, spread
    )


def _is_dirty(record: PerfRecord) -> bool:
    told = [record.fields, record.fields.get("environment_metadata")]
    words = [facts.get(key) for facts in told if isinstance(facts, Mapping) for key in _DIRTY_KEYS]
    return any(word in (True, "yes", "true") for word in words) or record.commit_sha.endswith("-dirty")
