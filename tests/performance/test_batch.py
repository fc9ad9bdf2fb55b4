# SPDX-License-Identifier: Apache-2.0
"""Whether sources agree, and what of those that do is said to the reviewer."""

from __future__ import annotations

from typing import Any

import pytest

from fvhydra.core.errors import UsageError
from fvhydra.performance.batch import batch_metrics, batch_warnings, refuse_mixed, window_note
from fvhydra.performance.record import PerfRecord
from fvhydra.performance.sources import Source
from tests.performance.making import record


def sources(*records: PerfRecord) -> list[Source]:
    """Sources of the records, named by their place."""
    return [Source(f"s{index}", each, f"{index:064x}") for index, each in enumerate(records)]


def _of(values: list[float | None], metric: str = "latency") -> list[Source]:
    return sources(*(record(day, **{metric: value}) for day, value in enumerate(values, 1)))


@pytest.mark.parametrize(
    ("values", "metric", "median", "worst", "spread"),
    [
        ([10.0, 10.4, 9.8], "latency", 10.0, 0.04, 0.06),
        ([4.4, 5.0, 4.5], "throughput", 4.5, 0.1 / 4.5, 0.6 / 4.5),  # lower is worse
        ([10.0], "latency", 10.0, None, None),
        ([10.0, None], "latency", 10.0, None, None),
        ([None, None], "latency", None, None, None),
        ([0.0, 0.0, 1.0], "dit_time_s", 0.0, None, None),
    ],
)
def test_the_worst_is_on_the_bad_side_of_the_median(
    values: list[float | None], metric: str, median: float | None, worst: float | None, spread: float | None
) -> None:
    [found] = [item for item in batch_metrics(_of(values, metric)) if item.name == metric]
    assert (found.values, found.batch_median) == (values, median)
    assert found.worst == (None if worst is None else pytest.approx(worst))
    assert found.spread == (None if spread is None else pytest.approx(spread))


def test_a_mixed_batch_stops_with_its_table() -> None:
    metrics = batch_metrics(_of([10.0, 10.0, 10.6]))
    refuse_mixed(metrics, 0.061)
    with pytest.raises(UsageError) as refused:
        refuse_mixed(metrics, 0.05)
    first, *lines = refused.value.message.splitlines()
    assert first == "The sources disagree: latency of one is more than 5.0% worse than the batch's median:"
    assert lines[0].strip() == "latency (s): 10, 10, 10.6; median 10, worst 6.0% off  <- too far"
    assert len(lines) == 6 and all("too far" not in line for line in lines[1:])


def test_a_source_that_is_better_than_the_others_stops_nothing() -> None:
    refuse_mixed(batch_metrics(_of([10.0, 10.0, 2.0])), 0.05)


@pytest.mark.parametrize(
    ("records", "older", "names"),
    [
        ([{}, {}, {}], [], []),
        ([{}, {}], [], ["few_sources"]),
        ([{}, {}, {"latency": 10.4}], [], ["wide_spread"]),
        ([{}, {}, {"latency": 10.2}], [], []),
        ([{}, {}, {}], [record(2)], ["old_sources"]),
        ([{}, {}, {"git_dirty": "yes"}], [], ["dirty_tree"]),
        ([{}, {}, {"environment_metadata": {"engine.git_dirty": "yes"}}], [], ["dirty_tree"]),
        ([{}, {}, {"environment_metadata": {"git_dirty": "no"}}], [], []),
        ([{}, {}, {"commit_sha": "b" * 40}], [], ["several_commits"]),
        ([{}, {}, {"success": False}], [], ["failed_sources"]),
    ],
)
def test_what_looks_wrong_is_said_by_name(
    records: list[dict[str, Any]], older: list[PerfRecord], names: list[str]
) -> None:
    given = sources(*(record(day, **{"commit_sha": "a" * 40, **each}) for day, each in enumerate(records, 1)))
    found = batch_warnings(given, batch_metrics(given), 0.05, older)
    assert [warning.name for warning in found] == names


def test_the_note_says_how_much_of_the_window_is_new() -> None:
    assert window_note(0, 2) == "There is no baseline yet; it becomes the median of these 2 record(s)."
    assert window_note(0, 6) == "There is no baseline yet; it becomes the median of the last 5 of these 6 record(s)."
    assert (
        "9 successful record(s) are there. Of the 5 that the baseline becomes the median of, 4 stay(s) and 1 are"
        in (window_note(9, 1))
    )
    assert "2 stay(s) and 3 are of this batch" in window_note(2, 3)
    assert "0 stay(s) and 5 are of this batch" in window_note(9, 7)
