# SPDX-License-Identifier: Apache-2.0
"""A series as a picture of its own, PNG or SVG, for a pull request or a talk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fvhydra.core.files import atomic_path
from fvhydra.core.trend import ASIDE, FAILED, GOOD, Series, SeriesMetric, Trend

_PER_METRIC_IN = 1.9
_WIDTH_IN = 10.0
_DPI = 120


def plot(series: Series, lines: Sequence[Trend], path: Path) -> None:
    """Draw all metrics of a series, one below the other.

    Args:
        series: With its windows.
        lines: Its trends, whose steps are drawn.
        path: The picture; its ending says which format: ``.png`` or ``.svg``.
    """
    import matplotlib
    from matplotlib.figure import Figure

    shown = [(metric, line) for metric in series.metrics for line in lines if line.metric == metric.name]
    if not shown:
        return
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "fvhydra"}):
        figure = Figure((_WIDTH_IN, _PER_METRIC_IN * len(shown) + 0.6), layout="constrained")
        axes = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
        figure.suptitle(series.name.replace("$", r"\$"))  # which would begin a formula
        times = [datetime.fromtimestamp(second, UTC) for second in series.seconds]
        for axis, (metric, line) in zip(axes, shown, strict=True):
            _draw(axis, series, metric, line, times)
        with atomic_path(path, path.suffix) as temporary:
            metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
            figure.savefig(temporary, dpi=_DPI, metadata=metadata)


def _draw(axis: Any, series: Series, metric: SeriesMetric, line: Trend, times: Sequence[datetime]) -> None:
    values, windows = series.values[metric.name], series.windows[metric.name]
    looks = {GOOD: {"c": "#2b5f8a"}, ASIDE: {"c": "#b5babf"}, FAILED: {"facecolors": "none", "edgecolors": "#a8261d"}}
    for outcome, look in looks.items():
        own = [i for i, found in enumerate(series.outcomes) if found == outcome and values[i] is not None]
        axis.scatter([times[i] for i in own], [values[i] for i in own], s=9, **look)
    cohorts = sorted({window.cohort for window in windows if window is not None})
    for cohort in cohorts:
        own_windows = [
            (time, w) for time, w in zip(times, windows, strict=True) if w is not None and w.cohort == cohort
        ]
        at = [time for time, _ in own_windows]
        axis.plot(at, [window.median for _, window in own_windows], color="#1d1f21", linewidth=1)
        low, high = ([getattr(window, end) for _, window in own_windows] for end in ("low", "high"))
        axis.fill_between(at, low, high, color="#2b5f8a", alpha=0.15, linewidth=0)
    for mark in series.marks:
        axis.axvline(times[mark.index], color="#7d5300", linewidth=0.8, linestyle="-" if mark.kind == "reseed" else ":")
    places = dict(zip(series.times, times, strict=True))
    for step in (step for step in line.steps if step.time in places):
        axis.axvline(places[step.time], color="#a8261d" if step.worse else "#1f6b45", linewidth=1, linestyle="--")
    if metric.limit is not None:
        axis.axhline(metric.limit, color="#a8261d", linewidth=0.8)
    axis.set_ylabel(f"{metric.title}\n({metric.unit})" if metric.unit else metric.title)
