# SPDX-License-Identifier: Apache-2.0
"""Numbers over time, as plain data: ``series.json`` of a run, and what of it is part of ``result.json``."""

from __future__ import annotations

from dataclasses import dataclass, field

GOOD, FAILED, ASIDE = "good", "failed", "aside"
"""Outcomes of a point: it counts; its run failed; its run succeeded and has no part in any baseline."""


@dataclass
class SeriesMetric:
    """A metric of a series.

    Attributes:
        name: Its key in records.
        title: What people read.
        unit: Empty for a number without.
        higher_is_better: Its good direction.
        tolerance: Share by which one record may be worse; None where the limit is fixed, or there is none.
        limit: A fixed one; None where there is none.
    """

    name: str
    title: str
    unit: str
    higher_is_better: bool
    tolerance: float | None = None
    limit: float | None = None


@dataclass
class Mark:
    """Something that happened between two points: ``kind`` is ``recipe``, ``software``, ``hardware`` or ``reseed``."""

    index: int
    kind: str
    label: str


@dataclass
class Window:
    """The rolling median after a point, with the least and the most of the values that it is of."""

    median: float
    low: float
    high: float
    cohort: int
    """Number of what it is a baseline of; the median begins anew where it changes."""


@dataclass
class Series:
    """Points in the order of their times, one list each, all of one length.

    Attributes:
        name: What it is of.
        sort: ``performance`` or ``similarity``.
        times: As they were written.
        seconds: The same, since 1970.
        links: Where the record is, relative to the run folder.
        outcomes: :data:`GOOD`, :data:`FAILED` or :data:`ASIDE`.
        notes: What else is to be said of a point.
        values: Metric to values; None where it was not measured.
        windows: Metric to rolling medians; None where there is none yet.
        marks: In order.
        undated: Records without a time that can be read; they are no points.
    """

    name: str
    sort: str
    metrics: list[SeriesMetric]
    times: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    values: dict[str, list[float | None]] = field(default_factory=dict)
    windows: dict[str, list[Window | None]] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    undated: int = 0


@dataclass
class Step:
    """A lasting change of a metric. ``share`` is ``(after - before) / before``."""

    time: str
    record: str
    before: float
    after: float
    share: float
    worse: bool


@dataclass
class Trend:
    """A metric of a series in a line.

    Attributes:
        points: Values that there are.
        failed: Points whose run failed.
        latest: The newest value.
        median: The newest rolling median.
        best: The best median of a long stretch of the newest cohort; None where there are too few points.
        recent: That of its newest stretch.
        drift: Share by which ``recent`` is worse than ``best``; None without one.
        drifted: Whether that is more than half of what one record may be worse, so that no gate may have seen it.
        steps: In order.
    """

    series: str
    sort: str
    metric: str
    title: str
    unit: str
    points: int
    failed: int
    first_time: str
    last_time: str
    latest: float | None
    median: float | None
    best: float | None
    recent: float | None
    drift: float | None
    drifted: bool
    steps: list[Step] = field(default_factory=list)
