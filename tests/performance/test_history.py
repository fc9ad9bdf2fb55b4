# SPDX-License-Identifier: Apache-2.0
"""Reading all records of a store, and what a baseline is made of."""

from __future__ import annotations

import random
import statistics
from pathlib import Path

import pytest

from fvhydra.core.errors import Corrupt, UsageError
from fvhydra.performance.history import History, medians, read_history
from fvhydra.performance.names import record_path
from fvhydra.performance.record import Pair
from tests.performance.making import local_store, record, with_identity

PAIR = Pair("toy-1gpu", "NVIDIA L40S")


def test_a_store_is_read_by_time_with_what_else_it_holds(tmp_path: Path) -> None:
    records = [record(3), record(1), with_identity(2, model_id="other")]
    store = local_store(tmp_path / "store", records, **{"reference_videos/smoke/x.json": b"{}", "README.md": b"#"})
    history = read_history(store, tmp_path / "mirror")
    assert [each.timestamp[8:10] for each in history.records] == ["01", "02", "03"]
    assert [each.path for each in history.records] == [record_path(each) for each in sorted(records, key=_day)]
    assert history.revision == store.head() and not history.problems
    assert read_history(local_store(tmp_path / "new"), tmp_path / "mirror2").records == ()


def test_a_file_that_is_no_record_is_named_and_stops_only_a_strict_reader(tmp_path: Path) -> None:
    bad = {"toy-1gpu/0.json": b"<html>", "toy-1gpu/1.json": b'{"model_id": "toy-1gpu", "workload_id": "toy"}'}
    store = local_store(tmp_path / "store", [record()], **bad)
    history = read_history(store, tmp_path / "mirror")
    assert len(history.records) == 1
    first, second = history.problems
    assert first.startswith(f"toy-1gpu/0.json of {store.location} is a web page")
    assert "toy-1gpu/1.json" in second and "has no variant_id" in second
    with pytest.raises(UsageError, match=r"2 such file\(s\)"):
        read_history(store, tmp_path / "mirror", strict=True)


def test_what_lies_in_the_mirror_is_never_taken_for_the_store(tmp_path: Path) -> None:
    store = local_store(tmp_path / "store", [record()])
    mirror = tmp_path / "mirror"
    read_history(store, mirror)
    path = mirror / record_path(record())
    path.write_text(path.read_text().replace("10.0", "1.0"))
    (mirror / "toy-1gpu" / "forged.json").write_text(path.read_text())
    (found,) = read_history(store, mirror).records
    assert found.value("latency") == 10.0
    for blob in (tmp_path / "store" / "objects").rglob("*"):
        if blob.is_file():
            blob.chmod(0o644)
            blob.write_bytes(b"x" * blob.stat().st_size)
    path.unlink()
    with pytest.raises(Corrupt):
        read_history(store, mirror)


def test_a_baseline_is_of_the_last_five_eligible_successes() -> None:
    days = [record(day, latency=float(day)) for day in range(1, 9)]
    history = History.of_records(
        [
            *days[:6],
            record(7, latency=100.0, success=False),
            record(8, latency=100.0, run_source="pr"),
            record(9, latency=100.0, gpu_type="NVIDIA H100"),
            record(10, latency=100.0, weights="synthetic"),
        ]
    )
    baseline = history.baseline(PAIR)
    assert [each.value("latency") for each in baseline.records] == [2, 3, 4, 5, 6]
    assert (baseline.eligible, baseline.medians["latency"]) == (6, 4.0)
    assert history.baseline(PAIR, "synthetic").medians["latency"] == 100.0
    assert [each.value("latency") for each in history.baseline(PAIR, None).records] == [3, 4, 5, 6, 100]
    assert len(history.of(PAIR)) == 8 and len(history.of(PAIR, None)) == 9


def test_fewer_than_five_records_and_measurements_that_are_missing() -> None:
    history = History.of_records([record(1, memory=None), record(2, latency=12.0), record(3, memory=None)])
    found = history.baseline(PAIR).medians
    assert (found["latency"], found["memory"]) == (10.0, 10000.0)
    assert medians([record(memory=None)])["memory"] is None
    assert set(medians([]).values()) == {None}


def test_an_identity_is_searched_for_over_all_folders() -> None:
    history = History.of_records(
        [with_identity(1, model_id="old-name"), with_identity(2), with_identity(3, software_profile_id="sw-2")]
    )
    identity = with_identity().identity
    assert identity is not None
    assert [each.model_id for each in history.baseline(identity).records] == ["old-name", "toy-1gpu"]


def test_what_appending_equal_records_does_to_a_median_of_five() -> None:
    """1 record usually does not move it, 3 usually do, 5 are all of it."""
    draw = random.Random(7)
    moved = dict.fromkeys(range(1, 6), 0)
    for _ in range(200):
        old = [record(day, latency=round(10 + draw.random(), 3)) for day in range(1, draw.randint(6, 10))]
        before = History.of_records(old).baseline(PAIR).medians["latency"]
        for k in moved:
            new = [record(20 + index, latency=15.0) for index in range(k)]
            after = History.of_records([*old, *new]).baseline(PAIR).medians["latency"]
            assert after == statistics.median([*[each.value("latency") for each in old], *[15.0] * k][-5:])
            moved[k] += after == 15.0
            assert before is not None and before < 11
    assert moved == {1: 0, 2: 0, 3: 200, 4: 200, 5: 200}


def _day(each: object) -> str:
    return each.timestamp  # type: ignore[attr-defined, no-any-return]
