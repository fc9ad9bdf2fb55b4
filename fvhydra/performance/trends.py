# SPDX-License-Identifier: Apache-2.0
"""Records over time: a series for each model and device, its rolling baseline, and what happened in between."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median

import numpy as np

from fvhydra.core.trend import ASIDE, FAILED, GOOD, Mark, Series, SeriesMetric, Step, Trend, Window
from fvhydra.performance.history import WINDOW, History
from fvhydra.performance.record import METRICS, PerfRecord
from fvhydra.performance.steps import find_steps, levels

_DRIFT = 0.5
"""Part of what one record may be worse, beyond which a baseline that crept there is said to have drifted."""

_STRETCHES = (25, WINDOW)
"""Values in a stretch; the shorter one where there are fewer than two of the longer."""

_CHANGES = (
    ("recipe", "recipe_fingerprint"),
    ("software", "software_profile_id"),
    ("hardware", "hardware_profile_id"),
)


def performance_series(
    history: History, model_id: str = "", gpu_type: str = "", last: int | None = None
) -> list[Series]:
    """The series of a history, by name.

    Args:
        history: Of a store.
        model_id: Only this benchmark; empty for all.
        gpu_type: Only this device.
        last: Only so many of the newest records of each.
    """
    groups: dict[str, list[PerfRecord]] = {}
    for record in history.records:
        if model_id in ("", record.model_id) and gpu_type in ("", record.gpu_type):
            groups.setdefault(_name(record), []).append(record)
    return [_series(name, records, last) for name, records in sorted(groups.items())]


def rolling(
    values: Sequence[float | None], counts: Sequence[bool], cohorts: Sequence[int], size: int = WINDOW
) -> list[Window | None]:
    """The median of the last values that count, after each point, by cohort; None where there is none yet.

    Args:
        values: In order.
        counts: Whether a point is part of the median.
        cohorts: What each belongs to; medians are of one cohort.
        size: How many of the newest points that count, whether they measured it or not.
    """
    windows: dict[int, deque[float | None]] = {}
    found: list[Window | None] = []
    for value, counted, cohort in zip(values, counts, cohorts, strict=True):
        window = windows.setdefault(cohort, deque(maxlen=size))
        if counted:
            window.append(value)
        measured = [each for each in window if each is not None]
        found.append(Window(median(measured), min(measured), max(measured), cohort) if measured else None)
    return found


def trends(series: Series, steps: bool = True) -> list[Trend]:
    """Each metric of a series that was measured, in a line.

    Args:
        series: With its windows.
        steps: Whether to look for steps.
    """
    return [_trend(series, metric, steps) for metric in series.metrics if any(_measured(series, metric.name))]


def _series(name: str, records: Sequence[PerfRecord], last: int | None) -> Series:
    metrics = [
        SeriesMetric(m.name, m.title, m.unit, m.higher_is_better, tolerance=m.threshold_percent)
        for m in METRICS.values()
    ]
    dated = [record for record in records if record.time is not None]
    targets: dict[object, int] = {}
    cohorts = [targets.setdefault(record.target, len(targets)) for record in dated]
    series = Series(name, "performance", metrics, undated=len(records) - len(dated))
    for record in dated:
        assert record.time is not None  # those without are left out
        series.times.append(record.timestamp)
        series.seconds.append(record.time.timestamp())
        series.links.append(f"records/{record.path}")
        series.outcomes.append((GOOD if record.eligible else ASIDE) if record.success else FAILED)
        series.notes.append(_note(record))
    counts = [outcome == GOOD for outcome in series.outcomes]
    for name_ in METRICS:
        series.values[name_] = [record.value(name_) for record in dated]
        series.windows[name_] = rolling(series.values[name_], counts, cohorts)
    series.marks = list(_marks(dated))
    return series if last is None else newest(series, last)


def newest(series: Series, count: int) -> Series:
    """The last points of a series; its medians are those that all of it gave."""
    first = max(len(series.times) - count, 0)
    return replace(
        series,
        times=series.times[first:],
        seconds=series.seconds[first:],
        links=series.links[first:],
        outcomes=series.outcomes[first:],
        notes=series.notes[first:],
        values={name: values[first:] for name, values in series.values.items()},
        windows={name: windows[first:] for name, windows in series.windows.items()},
        marks=[replace(mark, index=mark.index - first) for mark in series.marks if mark.index >= first],
    )


def _name(record: PerfRecord) -> str:
    weights = "" if record.weights == "real" else f", {record.weights} weights"
    return f"{record.model_id} on {record.gpu_type}{weights}"


def _note(record: PerfRecord) -> str:
    commit = f"commit {record.commit_sha[:12]}" if record.commit_sha else "no commit"
    reason = record.fields.get("baseline_reseed_reason") or record.fields.get("baseline_seed_reason")
    said = [commit, record.run_source, str(record.fields.get("comparison_status") or "")]
    return ", ".join([*(each for each in said if each), *([f"seeded: {reason}"] if reason else [])])


def _marks(records: Sequence[PerfRecord]) -> Iterator[Mark]:
    before: dict[str, str] = {}
    for index, record in enumerate(records):
        for kind, key in _CHANGES:
            if (value := record.fields.get(key)) is None:
                continue
            if before.get(key, str(value)) != str(value):
                yield Mark(index, kind, f"{before[key][:12]} → {str(value)[:12]}")
            before[key] = str(value)
        for word in ("baseline_reseed", "baseline_seed"):
            if record.fields.get(word) is True:
                yield Mark(index, "reseed", str(record.fields.get(f"{word}_reason") or "no reason"))


def _measured(series: Series, name: str) -> list[bool]:
    return [value is not None for value in series.values[name]]


def _trend(series: Series, metric: SeriesMetric, steps: bool) -> Trend:
    values, windows = series.values[metric.name], series.windows[metric.name]
    there = [index for index, value in enumerate(values) if value is not None]
    newest_window = next((window for window in reversed(windows) if window is not None), None)
    stretches = _stretches(series, metric.name)
    best = recent = drift = None
    drifted = False
    if stretches:
        recent, best = stretches[-1], max(stretches) if metric.higher_is_better else min(stretches)
        loss = best - recent if metric.higher_is_better else recent - best
        drift = loss / abs(best) if best else None
        allowed = abs(best - metric.limit) if metric.limit is not None else abs(best) * (metric.tolerance or 0.0)
        drifted = allowed > 0 and loss > _DRIFT * allowed
    return Trend(
        series.name,
        series.sort,
        metric.name,
        metric.title,
        metric.unit,
        len(there),
        series.outcomes.count(FAILED),
        series.times[there[0]],
        series.times[there[-1]],
        values[there[-1]],
        newest_window.median if newest_window else None,
        best,
        recent,
        drift,
        drifted,
        _steps(series, metric) if steps else [],
    )


def _stretches(series: Series, name: str) -> list[float]:
    """Medians of long stretches of the newest cohort, oldest first; none where there are too few values.

    Of many medians of five the best is better than the rest by noise alone, so a drift is looked for in longer ones.
    """
    windows, cohort = series.windows[name], None
    for window in reversed(windows):
        if window is not None:
            cohort = window.cohort
            break
    counted = zip(series.values[name], series.outcomes, windows, strict=True)
    values = [
        v for v, outcome, w in counted if v is not None and outcome == GOOD and w is not None and w.cohort == cohort
    ]
    size = next((size for size in _STRETCHES if len(values) >= 2 * size), 0)
    if not size:
        return []
    found = np.median(np.lib.stride_tricks.sliding_window_view(np.asarray(values, np.float64), size), axis=1)
    return [float(each) for each in found]


def _steps(series: Series, metric: SeriesMetric) -> list[Step]:
    values = series.values[metric.name]
    counted = [i for i, outcome in enumerate(series.outcomes) if outcome == GOOD and values[i] is not None]
    others = [i for i, outcome in enumerate(series.outcomes) if outcome != FAILED and values[i] is not None]
    indices = counted or others
    given = [value for i in indices if (value := values[i]) is not None]
    at = find_steps(given)
    found = levels(given, at)
    steps = []
    for position, before, after in zip(at, found, found[1:], strict=False):
        index = indices[position]
        share = (after - before) / abs(before) if before else 0.0
        worse = after < before if metric.higher_is_better else after > before
        steps.append(Step(series.times[index], series.links[index], before, after, share, worse))
    return steps
