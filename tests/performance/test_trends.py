# SPDX-License-Identifier: Apache-2.0
"""Records over time: series, rolling medians by cohort, marks, drifts that no gate sees."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fvhydra.core.trend import ASIDE, FAILED, GOOD, Series, Trend, Window
from fvhydra.performance.history import History
from fvhydra.performance.names import record_path
from fvhydra.performance.record import PerfRecord
from fvhydra.performance.trends import newest, performance_series, rolling, trends
from tests.performance.making import record, with_identity


def history(*records: PerfRecord) -> History:
    return History.of_records(PerfRecord(each.fields, record_path(each)) for each in records)


def _of_hours(values: list[float], **fields: Any) -> History:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    times = [(start + timedelta(hours=index)).isoformat() for index in range(len(values))]
    return history(
        *(record(1, latency=value, timestamp=time, **fields) for value, time in zip(values, times, strict=True))
    )


def _latency(series: Series) -> Trend:
    return next(trend for trend in trends(series) if trend.metric == "latency")


def test_a_series_for_each_model_device_and_sort_of_weights() -> None:
    found = performance_series(
        history(record(1), record(2, gpu_type="NVIDIA H100"), record(3, model_id="b"), record(4, weights="synthetic"))
    )
    assert [series.name for series in found] == [
        "b on NVIDIA L40S", "toy-1gpu on NVIDIA H100", "toy-1gpu on NVIDIA L40S",
        "toy-1gpu on NVIDIA L40S, synthetic weights",
    ]  # fmt: skip
    assert [s.name for s in performance_series(history(record(1), record(2, model_id="b")), "b")] == [
        "b on NVIDIA L40S"
    ]
    assert not performance_series(history(record(1)), gpu_type="L40S")


def test_points_are_in_order_and_say_what_came_of_them() -> None:
    given = history(
        record(3, success=False, latency=None), record(1), record(9, timestamp="yesterday"),
        record(2, run_source="pr", comparison_status="PASS"),
    )  # fmt: skip
    [series] = performance_series(given)
    assert series.outcomes == [GOOD, ASIDE, FAILED] and series.undated == 1
    assert series.values["latency"] == [10.0, 10.0, None]
    assert series.links[0] == f"records/{given.records[1].path}" and series.seconds == sorted(series.seconds)
    assert series.notes[1] == f"commit {2:012x}"[:7] + f"{2:040x}"[:12] + ", pr, PASS"


def test_the_rolling_median_is_the_baseline_after_each_point() -> None:
    values = [1.0, 2.0, None, 9.0, 3.0, 4.0, 5.0]
    counts = [True, True, True, False, True, True, True]
    found = rolling(values, counts, [0] * 7)
    assert [window and window.median for window in found] == [1.0, 1.5, 1.5, 1.5, 2.0, 2.5, 3.5]
    assert found[-1] == Window(3.5, 2.0, 5.0, 0)
    given = history(*(record(day, latency=float(day)) for day in range(1, 9)))
    [series] = performance_series(given)
    last = series.windows["latency"][-1]
    assert last is not None and last.median == given.baseline(record().target).medians["latency"]


def test_another_recipe_begins_anew_and_is_marked() -> None:
    given = history(
        with_identity(1), with_identity(2), with_identity(3, recipe_fingerprint="bb", latency=20.0),
        with_identity(4, recipe_fingerprint="bb", software_profile_id="sw-2", latency=21.0),
        record(5), with_identity(6, recipe_fingerprint="bb", software_profile_id="sw-2", baseline_reseed=True,
                                 baseline_reseed_reason="new image"),
    )  # fmt: skip
    [series] = performance_series(given)
    assert [(mark.index, mark.kind, mark.label) for mark in series.marks] == [
        (2, "recipe", "aa → bb"),
        (3, "software", "sw-1 → sw-2"),
        (5, "reseed", "new image"),
    ]
    windows = [window for window in series.windows["latency"] if window is not None]
    assert [window.median for window in windows] == [10.0, 10.0, 20.0, 21.0, 10.0, 15.5]
    assert [window.cohort for window in windows] == [0, 0, 1, 2, 3, 2]
    assert series.notes[5].endswith("seeded: new image")
    cut = newest(series, 2)
    assert len(cut.times) == 2 and [(mark.index, mark.kind) for mark in cut.marks] == [(1, "reseed")]
    assert cut.windows["latency"][-1] == series.windows["latency"][-1]


def test_a_step_is_told_with_its_record() -> None:
    [series] = performance_series(_of_hours([10.0] * 12 + [10.6] * 12))
    found = _latency(series)
    [step] = found.steps
    assert (step.time, step.before, step.after, step.worse) == (series.times[12], 10.0, 10.6, True)
    assert step.share == pytest.approx(0.06) and step.record == series.links[12]
    assert not trends(series, steps=False)[0].steps


def test_a_drift_below_the_gate_is_a_finding() -> None:
    slow = [10 + 0.015 * index for index in range(60)]  # never more than 0.15 % from one to the next
    [series] = performance_series(_of_hours(slow))
    found = _latency(series)
    assert found.drifted and found.drift == pytest.approx((10.705 - 10.18) / 10.18)
    [series] = performance_series(_of_hours([10 + 0.1 * index for index in range(14)]))
    assert _latency(series).drifted  # short histories too


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_no_drift(seed: int) -> None:
    import numpy as np

    values = 10 * (1 + 0.01 * np.random.default_rng(seed).normal(size=1000))
    [series] = performance_series(_of_hours(values.tolist()))
    found = _latency(series)
    assert not found.drifted and found.drift is not None and found.drift < 0.02


def test_better_is_no_drift() -> None:
    [series] = performance_series(_of_hours([20.0 - 0.1 * index for index in range(60)]))
    assert not _latency(series).drifted and _latency(series).drift == 0.0
