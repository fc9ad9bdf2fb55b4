# SPDX-License-Identifier: Apache-2.0
"""Reading records: what is one, what is said of what is none, and what follows from its fields."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from fvhydra.core.errors import UsageError
from fvhydra.performance.record import (
    IDENTITY_KEYS,
    METRICS,
    Identity,
    Pair,
    PerfRecord,
    checked_record,
    parse_time,
    read_record,
)
from tests.performance.making import IDENTITY, record, with_identity

PLAIN = {"model_id": "toy", "gpu_type": "NVIDIA L40S", "latency": 3, "memory": None, "success": True}


def test_a_record_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(PLAIN))
    found = read_record(path)
    assert (found.model_id, found.gpu_type, found.path) == ("toy", "NVIDIA L40S", str(path))
    assert found.value("latency") == 3.0 and isinstance(found.value("latency"), float)
    assert found.value("memory") is None and found.value("dit_time_s") is None
    assert found.target == Pair("toy", "NVIDIA L40S") and str(found.target) == "toy on NVIDIA L40S"
    assert found.fields == PLAIN


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<!DOCTYPE html><title>Log in</title>", "is a web page, not a performance record"),
        ("\n  <html>", "is a web page"),
        ("not JSON", "is not valid JSON"),
        ("[]", "is not a performance record, which is a JSON object"),
        ('{"benchmark_id": "toy", "avg_generation_time_s": 3}', "is a raw result"),
        ('{"avg_generation_time_s": 3}', "is a raw result"),
        ('{"latency": 3}', "it has no model_id"),
        ('{"model_id": " "}', "it has no model_id"),
        ('{"model_id": 5}', "it has no model_id"),
        ('{"model_id": "toy", "latency": "fast"}', "latency is 'fast'; it must be a finite number, or null"),
        ('{"model_id": "toy", "dit_time_s": true}', "dit_time_s is True"),
        ('{"model_id": "toy", "latency": NaN}', "latency is nan; it must be a finite number, or null"),
        ('{"model_id": "toy", "latency": 1, "memory": -Infinity}', "memory is -inf; it must be a finite number"),
        ('{"model_id": "toy", "throughput": 1e999}', "throughput is inf"),
        ('{"model_id": "toy", "success": "yes"}', "success is 'yes'; it must be true or false, or null"),
        ('{"model_id": "toy", "baseline_eligible": 1}', "baseline_eligible is 1"),
        ('{"model_id": "toy", "timestamp": 5}', "timestamp is 5; it must be text, or null"),
        ('{"model_id": "toy", "gpu_type": []}', "gpu_type is []"),
    ],
)
def test_what_is_no_record_says_what_it_is(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=re.escape(said)) as error:
        read_record(path)
    assert str(path) in error.value.message


def test_a_raw_result_names_the_file_to_give(tmp_path: Path) -> None:
    path = tmp_path / "perf_toy.json"
    path.write_text('{"benchmark_id": "toy"}')
    with pytest.raises(UsageError) as error:
        read_record(path)
    assert "normalized_perf_" in error.value.hint


@pytest.mark.parametrize("key", [*IDENTITY_KEYS, "result_schema_version"])
def test_an_identity_is_whole_or_an_error(key: str) -> None:
    alone = {"result_schema_version": 2} if key == "result_schema_version" else {key: "x"}
    with pytest.raises(UsageError, match=r"has no .*a record has all of"):
        checked_record(PLAIN | alone, "a.json")
    if key == "result_schema_version":  # the six alone make one as well
        assert checked_record(PLAIN | {k: IDENTITY[k] for k in IDENTITY_KEYS}, "a.json").identity
        return
    for blank in (None, "", "  "):
        with pytest.raises(UsageError, match=f"has no {key};"):
            checked_record(PLAIN | IDENTITY | {key: blank}, "a.json")


def test_identities_are_compared_as_text() -> None:
    one, other = with_identity(benchmark_version=3), with_identity(2, benchmark_version="3", model_id="renamed")
    assert one.identity == other.identity == one.target
    assert isinstance(one.target, Identity) and one.target.matches(other)
    assert not one.target.matches(with_identity(benchmark_version=4)) and not one.target.matches(record())
    assert one.identity is not None and one.identity.same_benchmark(Identity("toy", "v1", "3", "b", "h", "s"))


@pytest.mark.parametrize(
    ("fields", "eligible", "trusted"),
    [
        ({}, True, False),
        ({"run_source": "scheduled_main"}, False, True),
        ({"run_source": "pr", "baseline_eligible": None}, False, False),
        ({"baseline_eligible": True}, True, True),
        ({"run_source": "local", "baseline_eligible": True}, True, True),
        ({"run_source": "scheduled_main", "baseline_eligible": False}, False, True),
        (IDENTITY, True, False),
    ],
)
def test_who_may_be_in_a_baseline(fields: dict[str, Any], eligible: bool, trusted: bool) -> None:
    found = checked_record(PLAIN | fields, "a.json")
    assert (found.eligible, found.trusted) == (eligible, trusted)


def test_success_and_weights_are_what_is_written() -> None:
    assert record().success and not record(success=None).success and not record(success=False).success
    assert record().weights == "real" and record(weights="synthetic").weights == "synthetic"


def test_times_without_a_zone_are_in_utc() -> None:
    assert parse_time("2026-02-01T10:00:00") == datetime(2026, 2, 1, 10, tzinfo=UTC)
    two_hours = timezone(timedelta(hours=2))
    assert parse_time("2026-02-01T10:00:00+02:00") == datetime(2026, 2, 1, 10, tzinfo=two_hours)
    assert parse_time("0001-01-01T00:00:00+14:00") is None
    assert [parse_time(text) for text in ("", "not a time", "2026-13-01")] == [None] * 3


def test_records_sort_by_time_then_path_those_without_a_time_first() -> None:
    def at(timestamp: str | None, path: str) -> PerfRecord:
        return PerfRecord({"model_id": "toy", "timestamp": timestamp}, path)

    records = [
        at("2026-02-01T00:00:00", "b"),
        at("2026-02-01T02:00:00+02:00", "a"),
        at("2026-01-31T23:00:00-02:00", "0"),
        at("soon", "d"),
        at(None, "c"),
    ]
    assert [each.path for each in sorted(records, key=lambda each: each.order)] == ["c", "d", "a", "b", "0"]


def test_thresholds_are_those_of_the_ecosystem() -> None:
    found = {name: (m.threshold_percent, m.threshold_absolute, m.higher_is_better) for name, m in METRICS.items()}
    component = (0.05, 0.25, False)
    assert found == {
        "latency": (0.08, 0.5, False),
        "throughput": (0.08, 0.05, True),
        "memory": (0.05, 256.0, False),
        "text_encoder_time_s": component,
        "dit_time_s": component,
        "vae_decode_time_s": component,
    }
