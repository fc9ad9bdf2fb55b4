# SPDX-License-Identifier: Apache-2.0
"""The records that a re-seed and a first seed add."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from fvhydra.core.errors import UsageError
from fvhydra.performance.history import History
from fvhydra.performance.names import record_path
from fvhydra.performance.record import METRICS, PerfRecord, parse_time
from fvhydra.performance.reseeding import FIRST_FIELDS, Occasion, fresh_times, placed, reseeded_records
from fvhydra.performance.seeding import refuse_known, refuse_unfit, seeded_records
from tests.performance.making import IDENTITY, record, with_identity
from tests.performance.test_batch import sources

NOW = datetime(2026, 5, 3, 10, 11, 12, 345678, UTC)
OCCASION = Occasion("torch 2.13", "Ada", 0.05, NOW)
PROVENANCE = {
    "baseline_reseed": True,
    "baseline_reseed_reason": "torch 2.13",
    "baseline_reseed_source_result": "s0",
    "baseline_reseed_source_timestamp": "2026-02-01T00:00:00+00:00",
    "baseline_reseed_source_success": True,
    "baseline_reseed_batch_size": 1,
    "baseline_reseed_batch_index": 1,
    "baseline_reseed_operator": "Ada",
    "baseline_reseed_max_intra_batch_regression": 0.05,
}


def history(*records: PerfRecord) -> History:
    return History.of_records(PerfRecord(each.fields, record_path(each)) for each in records)


def test_a_first_record_has_the_fields_that_every_record_has_and_where_it_comes_from() -> None:
    source = record(1, branch="main", build_url="https://ci.example", baseline_reseed_reason="an older one")
    [made] = reseeded_records(sources(source), history(), OCCASION)
    wanted = {key: source.fields[key] for key in FIRST_FIELDS} | PROVENANCE
    assert made.fields == wanted | {"timestamp": "2026-05-03T10:11:12.345000+00:00"}
    assert made.path == f"toy-1gpu/2026-05-03T10_11_12.345000_00_00_{1:040x}_reseed_01.json"
    assert made.eligible and made.success


def test_later_records_have_the_fields_of_those_that_are_there_failed_ones_too() -> None:
    there = [record(1, memory=None), record(2, success=False, driver="550", baseline_reseed_operator="Bob")]
    for each in there:
        del each.fields["vae_decode_time_s"]
    [made] = reseeded_records(sources(record(3, driver="560", host="a")), history(*there), OCCASION)
    own = {key for key in made.fields if not key.startswith("baseline_reseed")}
    assert own == set(there[0].fields) | {"driver"} and made.fields["driver"] == "560"
    assert made.fields["baseline_reseed_operator"] == "Ada"


def test_a_failed_source_becomes_a_success_that_says_so() -> None:
    [made] = reseeded_records(sources(record(1, success=False)), history(record(1)), OCCASION)
    assert made.fields["success"] is True and made.fields["baseline_reseed_source_success"] is False


def test_records_of_an_identity_count_and_keep_it() -> None:
    more = {"recipe": {"a": 1}, "hardware_profile": {"b": 2}, "comparison_status": "REGRESSION", "branch": "x"}
    source = with_identity(1, **more, run_source="pr", baseline_eligible=False, comparison_status_reason="slow")
    [first] = reseeded_records(sources(source), history(), OCCASION)
    assert {key: first.fields[key] for key in IDENTITY} == IDENTITY
    assert first.fields["recipe"] == {"a": 1} and "branch" not in first.fields and "run_source" not in first.fields
    there = with_identity(2, run_source="scheduled_main")
    [later] = reseeded_records(sources(source), history(there), OCCASION)
    assert set(later.fields) == set(there.fields) | set(PROVENANCE) | {"comparison_status"}
    for made in (first, later):
        assert made.eligible and made.fields["comparison_status"] == "PASS"
        assert "comparison_status_reason" not in made.fields


def test_a_record_without_identity_never_comes_out_ineligible() -> None:
    [made] = reseeded_records(sources(record(1, run_source="pr")), history(record(2, run_source="pr")), OCCASION)
    assert made.eligible and "run_source" not in made.fields
    there = record(2, run_source="pr", baseline_eligible=True)
    [made] = reseeded_records(sources(record(1, run_source="pr")), history(there), OCCASION)
    assert made.eligible and made.fields["run_source"] == "pr"


def test_what_nobody_declared_goes_on_saying_so() -> None:
    [made] = reseeded_records(sources(record(1, benchmark_declared=False)), history(record(2)), OCCASION)
    assert made.fields["benchmark_declared"] is False


def test_what_was_measured_with_other_weights_goes_on_saying_so() -> None:
    [made] = reseeded_records(sources(record(1, weights="synthetic")), history(record(2)), OCCASION)
    assert made.weights == "synthetic"


@pytest.mark.parametrize(
    ("there", "first"),
    [
        ([], "2026-05-03T10:11:12.345000+00:00"),
        (["2026-05-03T10:11:12.345Z"], "2026-05-03T10:11:12.346000+00:00"),
        (["2027-01-01T01:00:00+01:00", "no time"], "2027-01-01T00:00:00.001000+00:00"),
    ],
)
def test_fresh_times_follow_each_other_and_every_record(there: list[str], first: str) -> None:
    records = [record(1, timestamp=text) for text in there]
    times = fresh_times(3, records, NOW)
    assert times[0] == first and times == sorted(set(times))
    latest = [time for each in records if (time := each.time)]
    assert all(parse_time(times[0]) > time for time in latest)


def test_names_go_on_where_one_is_taken() -> None:
    there = PerfRecord(record(1).fields, record_path(record(1), "_reseed_01"))
    made = placed([record(1), record(1)], History.of_records([there]), "reseed")
    assert [each.path[-15:] for each in made] == ["_reseed_02.json", "_reseed_03.json"]


@pytest.mark.parametrize("before", [0, 1, 2, 3, 4, 5, 6, 9])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("identity", [False, True])
def test_equal_shifted_records_move_the_median_as_the_note_says(before: int, count: int, identity: bool) -> None:
    make = with_identity if identity else record
    there = history(*(make(day, latency=10.0) for day in range(1, before + 1)))
    made = reseeded_records(sources(*(make(day, latency=12.0) for day in range(1, count + 1))), there, OCCASION)
    after = History.of_records([*there.records, *made]).baseline(made[0].target)
    new = min(count, 5)
    kept = min(before, 5 - new)
    moved = new > kept
    expected = 11.0 if new == kept else 12.0 if moved else 10.0
    assert after.medians["latency"] == expected
    if before >= 5:  # 1 does not move it, 3 do, 5 are all that is left
        assert {1: not moved, 3: moved, 5: kept == 0}.get(count, True)


def test_more_sources_than_the_window_take_all_of_it() -> None:
    made = reseeded_records(sources(*(record(day) for day in range(1, 8))), history(record(9)), OCCASION)
    after = History.of_records([record(9), *made]).baseline(made[0].target)
    assert [each.fields["baseline_reseed_batch_index"] for each in after.records] == [3, 4, 5, 6, 7]


# ------------------------------------------------------------------------------------------------ a first baseline
SCHEDULED: dict[str, Any] = {
    "run_source": "scheduled_main", "test_scope": "full", "branch": "main", "pr_number": None,
    "comparison_status": "CALIBRATION_NEEDED", "baseline_eligible": False,
}  # fmt: skip


def test_a_first_baseline_keeps_all_fields_and_says_where_it_comes_from() -> None:
    source = with_identity(1, **SCHEDULED, extra=[1], baseline_seed_reason="older")
    refuse_unfit(sources(source))
    [made] = seeded_records(sources(source), history(), OCCASION)
    kept = {key: value for key, value in source.fields.items() if not key.startswith("baseline_seed")}
    assert made.fields == kept | {
        "timestamp": "2026-05-03T10:11:12.345000+00:00",
        "success": True,
        "baseline_eligible": True,
        "comparison_status": "PASS",
        "baseline_seed": True,
        "baseline_seed_reason": "torch 2.13",
        "baseline_seed_source_result": "s0",
        "baseline_seed_source_status": "CALIBRATION_NEEDED",
        "baseline_seed_source_timestamp": "2026-02-01T00:00:00+00:00",
        "baseline_seed_source_success": True,
        "baseline_seed_source_run_source": "scheduled_main",
        "baseline_seed_source_branch": "main",
        "baseline_seed_source_test_scope": "full",
        "baseline_seed_source_pr_number": None,
        "baseline_seed_batch_size": 1,
        "baseline_seed_batch_index": 1,
        "baseline_seed_operator": "Ada",
    }
    assert made.path.endswith("_seed_01.json") and made.eligible


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"success": False}, "success=False"),
        ({"success": 1}, "success=1"),
        ({"run_source": "pr"}, "run_source='pr'"),
        ({"test_scope": "direct"}, "test_scope='direct'"),
        ({"branch": "feature"}, "branch='feature'"),
        ({"pr_number": "12"}, "comes of no pull request"),
        ({"comparison_status": "PASS"}, "comparison_status='PASS'"),
        ({"baseline_eligible": True}, "baseline_eligible=True"),
        ({"baseline_eligible": None}, "baseline_eligible=None"),
        ({"latency": None}, "latency=None"),
        ({"throughput": 0}, "throughput=0"),
        ({"memory": -1.0}, "memory=-1"),
        ({"dit_time_s": -0.1}, "dit_time_s=-0.1"),
    ],
)
def test_what_a_first_baseline_is_not_made_of(fields: dict[str, Any], says: str) -> None:
    refuse_unfit(sources(with_identity(1, **SCHEDULED, dit_time_s=None)))
    with pytest.raises(UsageError, match=f"^s0 has .*{says}"):
        refuse_unfit(sources(with_identity(1, **{**SCHEDULED, **fields})))


def test_records_without_identity_have_no_first_of_their_own() -> None:
    with pytest.raises(UsageError, match="no identity") as refused:
        refuse_unfit(sources(record(1, **SCHEDULED)))
    assert "op=reseed_perf" in refused.value.hint


def test_an_identity_that_is_known_and_a_workload_that_is_trusted_otherwise_stop() -> None:
    fresh = with_identity(1, **SCHEDULED)
    assert fresh.identity is not None
    refuse_known(fresh.identity, history(fresh, record(2)), "real")
    with pytest.raises(UsageError, match=r"has 1 record.s. of a baseline already, .* stale"):
        refuse_known(fresh.identity, history(with_identity(2)), "real")
    other = with_identity(2, recipe_fingerprint="bb", hardware_profile_id="hw-9")
    with pytest.raises(UsageError, match=r"trusted with another recipe: .* fingerprint bb, the source aa"):
        refuse_known(fresh.identity, history(other), "real")
    assert len(METRICS) == 6
