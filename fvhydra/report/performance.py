# SPDX-License-Identifier: Apache-2.0
"""The page of performance records beside their baselines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fvhydra.core.performance import PerfComparison, PerfMetric
from fvhydra.core.result import RunResult
from fvhydra.report import page
from fvhydra.report.wording import PERF_COLUMNS, perf_cells, perf_name

_LEAST_SHARE = 0.1
"""Share at the ends of an axis, where nothing goes beyond."""


@dataclass(frozen=True)
class Strip:
    """How far a metric moved, on an axis of 100 that has "no change" at 50.

    Attributes:
        change: Where it is.
        interval: From where to where its interval goes; None where there is none.
        limit: Where it becomes a regression; None where it does not decide.
        share: Of the baseline at the right end.
    """

    change: float
    interval: tuple[float, float] | None
    limit: float | None
    share: float


@dataclass(frozen=True)
class RecordView:
    """What the template needs of a record, worked out; ``rows`` are cells and strip of each metric."""

    found: PerfComparison
    name: str
    rows: list[tuple[PerfMetric, tuple[str, ...], Strip | None]]


def render_performance(result: RunResult, manifest: dict[str, Any]) -> str:
    """The page of a check.

    Args:
        result: With its ``performance``.
        manifest: Its ``manifest.json``; every key is optional.
    """
    worst_first = sorted(result.performance, key=lambda found: -found.verdict.exit_code)
    return page.render(
        "performance.html",
        **page.masthead(result, manifest),
        columns=PERF_COLUMNS,
        views=[_view(found) for found in worst_first],
    )


def _view(found: PerfComparison) -> RecordView:
    rows = [(metric, perf_cells(metric), _strip(metric)) for metric in found.metrics]
    return RecordView(found, perf_name(found), rows)


def _strip(metric: PerfMetric) -> Strip | None:
    if metric.change is None:
        return None
    limit = metric.allowed_change if metric.gated else None
    share = 1.1 * max(_LEAST_SHARE, *(abs(each) for each in (metric.change, limit or 0.0, *(metric.interval or ()))))

    def x(value: float) -> float:
        return float(round(50 + 50 * value / share, 2))

    interval = None if metric.interval is None else (x(metric.interval[0]), x(metric.interval[1]))
    return Strip(x(metric.change), interval, None if limit is None else x(limit), share)
