# SPDX-License-Identifier: Apache-2.0
"""The page of numbers over time: the geometry of its charts, which the template draws as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from fvhydra.core import untrusted
from fvhydra.core.result import RunResult
from fvhydra.core.trend import ASIDE, FAILED, GOOD, Series, SeriesMetric, Trend, Window
from fvhydra.report import page
from fvhydra.report.baseline import number
from fvhydra.report.trend_table import TREND_COLUMNS, trend_cells

WIDTH, HEIGHT = 1000.0, 180.0
_AIR = 0.08
_RADIUS = 3.0


@dataclass(frozen=True)
class Chart:
    """A metric of a series in a box of :data:`WIDTH` x :data:`HEIGHT`. Everything that is ``str`` is an SVG path.

    Attributes:
        good: Points that count.
        aside: Successes that are part of no baseline.
        failed: Hollow circles; at the bottom where nothing was measured.
        medians: The rolling median, a stretch each cohort.
        band: From the least to the most of what it is the median of.
        low: Value at the bottom.
        high: Value at the top.
        limit: y of the fixed limit; None without one.
        marks: (x, kind, label) of what changed.
        steps: (x, label, tone) of lasting changes.
        data: y of each point, for the script; None where there is none.
    """

    metric: SeriesMetric
    trend: Trend
    good: str
    aside: str
    failed: str
    medians: str
    band: str
    low: float
    high: float
    limit: float | None
    marks: list[tuple[float, str, str]]
    steps: list[tuple[float, str, str]]
    data: list[float | None]


@dataclass(frozen=True)
class SeriesView:
    """What the template needs of a series: its charts, and what the script shows of a point."""

    series: Series
    charts: list[Chart]
    data: dict[str, Any]


def render_trends(run_dir: Path, result: RunResult, manifest: dict[str, Any]) -> str:
    """The page of a history.

    Args:
        run_dir: The run folder, with ``series.json``; only read.
        result: With its ``trends``.
        manifest: Its ``manifest.json``; every key is optional.
    """
    path = run_dir / "series.json"
    found: list[Series] = []
    if path.is_file():
        recorded = untrusted.read_json(path)
        wrong = f"{path} is not one of this version"
        found = untrusted.typed(list[Series], recorded.get("series") if isinstance(recorded, dict) else None, wrong)
    views = [_view(series, [trend for trend in result.trends if trend.series == series.name]) for series in found]
    plots = sorted(file.name for file in (run_dir / "plots").glob("*")) if (run_dir / "plots").is_dir() else []
    return page.render(
        "trends.html",
        **page.masthead(result, manifest),
        columns=TREND_COLUMNS,
        rows=[trend_cells(trend) for trend in result.trends],
        views=[view for view in views if view.charts],
        plots=plots,
        width=WIDTH,
        height=HEIGHT,
    )


def _view(series: Series, lines: Sequence[Trend]) -> SeriesView:
    xs = _places(series.seconds)
    charts = [
        _chart(series, metric, line, xs)
        for metric in series.metrics
        if (line := next((line for line in lines if line.metric == metric.name), None))
    ]
    points = list(zip(series.times, series.links, series.notes, series.outcomes, strict=True))
    data = {
        "x": xs,
        "points": points,
        "values": {chart.metric.name: series.values[chart.metric.name] for chart in charts},
    }
    return SeriesView(series, charts, data)


def _places(seconds: Sequence[float]) -> list[float]:
    first, last = (seconds[0], seconds[-1]) if seconds else (0.0, 0.0)
    span = last - first
    if span <= 0:
        return [WIDTH / 2] * len(seconds)
    return [round(10 + (WIDTH - 20) * (second - first) / span, 1) for second in seconds]


def _chart(series: Series, metric: SeriesMetric, line: Trend, xs: list[float]) -> Chart:
    values, windows = series.values[metric.name], series.windows[metric.name]
    shown = [value for value in values if value is not None] + ([metric.limit] if metric.limit is not None else [])
    least, most = min(shown), max(shown)
    air = (most - least) * _AIR or abs(most) * 0.01 or 1e-4
    low, high = least - air, most + air

    def y(value: float) -> float:
        return round((high - value) / (high - low) * HEIGHT, 1)

    ys = [None if value is None else y(value) for value in values]
    bottom = [HEIGHT - _RADIUS if level is None and outcome == FAILED else level
              for level, outcome in zip(ys, series.outcomes, strict=True)]  # fmt: skip
    places = dict(zip(series.times, xs, strict=True))
    drawn = [
        (x, level, outcome) for x, level, outcome in zip(xs, bottom, series.outcomes, strict=True) if level is not None
    ]
    of = {outcome: [(x, level) for x, level, own in drawn if own == outcome] for outcome in (GOOD, ASIDE, FAILED)}
    stretches = [
        [(x, window) for x, window in stretch if window is not None]
        for _, stretch in groupby(zip(xs, windows, strict=True), key=lambda pair: pair[1].cohort if pair[1] else None)
    ]
    return Chart(
        metric,
        line,
        good=_dots(of[GOOD]),
        aside=_dots(of[ASIDE]),
        failed="".join(_circle(x, level) for x, level in of[FAILED]),
        medians=" ".join(_line([(x, y(window.median)) for x, window in stretch]) for stretch in stretches if stretch),
        band=" ".join(_band(stretch, y) for stretch in stretches if stretch),
        low=low,
        high=high,
        limit=None if metric.limit is None else y(metric.limit),
        marks=[(xs[mark.index], mark.kind, mark.label) for mark in series.marks if mark.index < len(xs)],
        steps=[
            (places[s.time], f"{s.share:+.1%}: {number(s.before)} → {number(s.after)}", "bad" if s.worse else "good")
            for s in line.steps
            if s.time in places
        ],
        data=bottom,
    )


def _dots(points: Sequence[tuple[float, float]]) -> str:
    """A line of no length for each, which a round cap makes a dot: one element, however many there are."""
    return "".join(f"M{x} {y}h0" for x, y in points)


def _circle(x: float, y: float) -> str:
    return (
        f"M{x - _RADIUS:.1f} {y}a{_RADIUS} {_RADIUS} 0 1 0 {2 * _RADIUS} 0a{_RADIUS} {_RADIUS} 0 1 0 {-2 * _RADIUS} 0"
    )


def _line(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in points)


def _band(stretch: Sequence[tuple[float, Window]], y: Any) -> str:
    upper = [(x, y(window.high)) for x, window in stretch]
    lower = [(x, y(window.low)) for x, window in reversed(stretch)]
    return _line([*upper, *lower]) + "Z"
