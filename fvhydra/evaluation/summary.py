# SPDX-License-Identifier: Apache-2.0
"""The summary of a metric over all samples, from its rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import stdev
from typing import Any

from fvhydra.core import files
from fvhydra.core.scores import INFINITE, UNDEFINED, MetricSummary, ScoreRow
from fvhydra.evaluation.bootstrap import interval
from fvhydra.evaluation.journal import Arrays, contribution
from fvhydra.evaluation.metric_run import finite
from fvhydra.metrics.base import Metric, Score, SetMetric, Skipped


def fold(metric: SetMetric, folder: Path, rows: Sequence[ScoreRow]) -> Arrays:
    """The state of a set metric, out of what its samples contributed, in the order of the samples."""
    state = metric.empty()
    for row in sorted(rows, key=lambda row: row.sample):
        if row.status == "ok":
            state = metric.update(state, contribution(folder, row))
    return state


def summarise(metric: Metric, rows: Sequence[ScoreRow], state: Arrays | None = None) -> MetricSummary:
    """Summarise a metric over all samples.

    Args:
        metric: With its parameters; no model is asked.
        rows: Its rows, in any order.
        state: Of a set metric.
    """
    spec = metric.spec
    ok = sorted((row for row in rows if row.status == "ok"), key=lambda row: row.sample)
    values = [row.value for row in ok if row.value is not None]
    codes = Counter(row.code for row in rows if row.code)
    score, message = _over_all(metric, ok, state)
    reason = "" if score else _reason([row for row in rows if row.status != "ok"])
    if reason and all(row.status != "ok" for row in rows):
        message = ""  # that a set has no samples follows from it
    apart = [
        f"{codes[code]} of {len(ok)} {what}"
        for code, what in (
            (INFINITE, "values are infinite, and in no mean"),
            (UNDEFINED, "samples have no value of their own, and count in the value over all samples"),
        )
        if codes[code]
    ]
    averaged = spec.kind == "sample" and spec.rule == "mean"
    return MetricSummary(
        metric=spec.id,
        version=spec.version,
        title=spec.title,
        kind=spec.kind,
        direction=spec.direction,
        unit=spec.unit,
        value=None if score is None else score.value,
        rule=spec.rule,
        interval=interval(values) if averaged else None,
        low=min(values, default=None),
        high=max(values, default=None),
        std=stdev(values) if len(values) > 1 else None,
        outputs={} if score is None else files.plain(finite(score.outputs)),
        counts={status: sum(row.status == status for row in rows) for status in ("ok", "skipped", "failed")},
        infinite=codes[INFINITE],
        reasons={code: count for code, count in sorted(codes.items()) if code != INFINITE},
        message="; ".join(filter(None, (message, reason, *apart))),
        series={output.name: output.direction for output in spec.outputs if output.per != "clip"},
        by_tag=_by_tag(metric, ok) if spec.kind == "sample" else {},
        params=files.plain(metric.params),
        comparable_to=list(metric.comparable_to),
        source=spec.source,
    )


def _over_all(metric: Metric, rows: Sequence[ScoreRow], state: Arrays | None) -> tuple[Score | None, str]:
    """The value, or why there is none; a metric whose own rule breaks takes no other down."""
    try:
        if isinstance(metric, SetMetric):
            score = metric.compute(metric.empty() if state is None else state)
        elif rows:
            score = metric.corpus(rows)
        else:
            return None, ""
    except Skipped as skipped:
        return None, str(skipped)
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"
    if score.value is None or not math.isfinite(score.value):
        return None, f"the value over all samples is {score.value}"
    return score, ""


def _reason(rows: Sequence[ScoreRow]) -> str:
    """Why samples have no value: the most frequent reason, and how many samples have others."""
    messages = Counter(row.message for row in rows if row.message).most_common()
    if len(messages) < 2:
        return "".join(message for message, _ in messages)
    (message, count), *others = messages
    return f"{message} ({count} sample(s); {sum(number for _, number in others)} for other reasons)"


def _by_tag(metric: Metric, rows: Sequence[ScoreRow]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for tag in sorted({tag for row in rows for tag in row.tags}):
        tagged = [row for row in rows if tag in row.tags]
        score, _ = _over_all(metric, tagged, None)
        if score is not None and score.value is not None:
            found[tag] = {"value": score.value, "ok": len(tagged)}
    return found


def loaded_assets(metric: Metric) -> dict[str, Any]:
    """Which weights a metric has loaded: name to repository, revision, licence and the device that they are on."""
    return {
        asset.name: {"repo": asset.repo, "revision": revision, "licence": asset.licence, "device": metric.assets.device}
        for asset in metric.spec.loads(metric.params)
        if (revision := metric.assets.revision(metric.spec, asset.name)) is not None
    }
