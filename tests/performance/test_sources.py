# SPDX-License-Identifier: Apache-2.0
"""Sources of a re-seed: each stop is named, before anything is made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fvhydra.core.errors import UsageError
from fvhydra.performance.record import Identity, Pair, PerfRecord
from fvhydra.performance.sources import common_target, read_sources, refuse_none, refuse_others, refuse_unmeasured
from tests.performance.making import record, with_identity


def written(folder: Path, *records: PerfRecord) -> list[str]:
    """The paths of files with the records."""
    found = []
    for index, each in enumerate(records):
        path = folder / f"normalized_perf_{index}.json"
        path.write_text(json.dumps(each.fields))
        found.append(str(path))
    return found


def test_sources_are_ordered_by_when_they_were_measured(tmp_path: Path) -> None:
    paths = written(tmp_path, record(3), record(1), record(2))
    found, said = read_sources(paths, tmp_path / "downloads")
    assert [source.record.fields["commit_sha"] for source in found] == [f"{day:040x}" for day in (1, 2, 3)]
    assert not said and [source.given for source in found] == [paths[1], paths[2], paths[0]]
    assert not (tmp_path / "downloads").exists()


def test_those_without_a_time_keep_their_places_and_are_named(tmp_path: Path) -> None:
    records = [record(3), record(9, timestamp="yesterday"), record(1), record(8, timestamp=None)]
    paths = written(tmp_path, *records)
    found, said = read_sources(paths, tmp_path)
    assert [source.given for source in found] == [paths[2], paths[1], paths[0], paths[3]]
    assert said == [f"{path} has no time that can be read; it stays where it was given." for path in paths[1::2]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<!doctype html><title>Sign in</title>", "is a web page"),
        ("{", "is not valid JSON"),
        ("[]", "is not a performance record"),
        ('{"benchmark_id": "a", "avg_generation_time_s": 1}', "is a raw result"),
        ('{"model_id": "a", "latency": "fast"}', "latency is 'fast'"),
        ('{"model_id": "a", "latency": 1e999}', "latency is inf"),
        ('{"model_id": "a", "latency": null}', "no measurement"),
        ('{"model_id": "a", "workload_id": "w"}', "has no variant_id"),
    ],
)
def test_what_is_no_record_is_named(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UsageError, match=says):
        refuse_unmeasured(read_sources([str(tmp_path / "a.json")], tmp_path)[0])


def test_no_source_a_missing_one_and_the_same_path_twice(tmp_path: Path) -> None:
    [path] = written(tmp_path, record())
    with pytest.raises(UsageError, match="No source is given") as refused:
        refuse_none([])
    assert "op.source_result=" in refused.value.hint
    with pytest.raises(UsageError, match=r"There is no performance record .*b\.json"):
        refuse_none([path, str(tmp_path / "b.json")])
    for wrong in ("https://", "http:///a.json", "https://ci example/a.json", "https://[::1/a"):
        with pytest.raises(UsageError, match="is no address"):
            refuse_none([path, wrong])
    with pytest.raises(UsageError, match="given twice"):
        refuse_none([path, f"{tmp_path}/../{tmp_path.name}/normalized_perf_0.json"])
    with pytest.raises(UsageError, match="101 sources are given; at most 100"):
        refuse_none([f"https://ci.example/{index}" for index in range(101)])


@pytest.mark.parametrize(
    ("other", "keys", "says"),
    [
        ({}, (), "the same content"),
        ({"latency": 11.0}, (), "the same commit and time"),
        ({"timestamp": "2026-03-01T00:00:00Z", "job_id": "7"}, ("job_id",), "the same job_id"),
        ({"timestamp": "2026-03-01T00:00:00Z", "job_id": "7"}, (), ""),
        ({"timestamp": "2026-03-01T00:00:00Z", "job_id": "8"}, ("job_id",), ""),
        ({"model_id": "b"}, (), ""),
    ],
)
def test_a_measurement_counts_once(tmp_path: Path, other: dict[str, Any], keys: tuple[str, ...], says: str) -> None:
    first = record(job_id="7")
    paths = written(tmp_path, first, PerfRecord({**first.fields, **other}))
    if not says:
        assert len(read_sources(paths, tmp_path, keys)[0]) == 2
        return
    with pytest.raises(UsageError, match=f"{paths[1]} is {paths[0]} again .{says}.; a measurement counts once"):
        read_sources(paths, tmp_path, keys)


@pytest.mark.parametrize(
    ("one", "other", "says"),
    [
        (record(1), record(2, model_id="other"), "toy-1gpu on NVIDIA L40S, and .* of other on NVIDIA L40S"),
        (record(1), record(2, gpu_type="NVIDIA H100"), "of toy-1gpu on NVIDIA H100"),
        (record(1), with_identity(2), "records of two kinds"),
        (with_identity(1), with_identity(2, recipe_fingerprint="bb"), "recipe bb"),
        (record(1), record(2, weights="synthetic"), "with real weights, and .* synthetic weights"),
    ],
)
def test_one_baseline_is_moved_at_a_time(tmp_path: Path, one: PerfRecord, other: PerfRecord, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        common_target(read_sources(written(tmp_path, one, other), tmp_path)[0])


def test_the_target_is_the_pair_or_the_six_fields_wherever_the_record_is_kept(tmp_path: Path) -> None:
    found, _ = read_sources(written(tmp_path, record(1), record(2)), tmp_path)
    assert common_target(found) == Pair("toy-1gpu", "NVIDIA L40S")
    found, _ = read_sources(written(tmp_path, with_identity(1), with_identity(2, model_id="renamed")), tmp_path)
    assert isinstance(common_target(found), Identity)


@pytest.mark.parametrize(
    ("model_id", "gpu_type", "says"),
    [
        ("other", "NVIDIA L40S", "of model_id 'toy-1gpu', not of op.model_id='other'"),
        ("toy-1gpu", "NVIDIA H100", "of gpu_type 'NVIDIA L40S', not of op.gpu_type='NVIDIA H100'"),
        ("toy-1gpu", "L40S", "not of op.gpu_type='L40S'"),
        ("toy-1gpu", "NVIDIA L40S", ""),
        ("", "", ""),
    ],
)
def test_another_target_than_was_asked_for(tmp_path: Path, model_id: str, gpu_type: str, says: str) -> None:
    found, _ = read_sources(written(tmp_path, record(1), record(2)), tmp_path)
    if not says:
        refuse_others(found, model_id, gpu_type)
        return
    with pytest.raises(UsageError, match=says):
        refuse_others(found, model_id, gpu_type)
