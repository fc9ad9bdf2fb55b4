# SPDX-License-Identifier: Apache-2.0
"""The gate, on records and histories: each verdict, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from fvhydra.core.performance import PerfComparison
from fvhydra.core.verdict import Verdict
from fvhydra.performance.gate import check, policies, serialized
from fvhydra.performance.history import History
from fvhydra.performance.record import PerfRecord
from tests.performance.making import record, with_identity

FIVE = [record(day) for day in range(1, 6)]


def checked(now: PerfRecord, old: list[PerfRecord] | None = None, **options: Any) -> PerfComparison:
    return check(now, History.of_records(FIVE if old is None else old), **options)


def of(found: PerfComparison, name: str = "latency") -> Any:
    return next(metric for metric in found.metrics if metric.name == name)


def test_the_same_again_passes() -> None:
    found = checked(record(9))
    assert (found.verdict, found.status, found.runs) == (Verdict.PASS, "PASS", None)
    assert found.target == "toy-1gpu on NVIDIA L40S"
    assert [each.timestamp[8:10] for each in found.baseline] == ["01", "02", "03", "04", "05"]
    assert {metric.verdict for metric in found.metrics[:-1]} == {Verdict.PASS}


def test_what_no_component_accounts_for_is_shown_and_decides_nothing() -> None:
    rest = checked(record(9, dit_time_s=2.0)).metrics[-1]
    assert (rest.title, rest.current, rest.baseline, rest.change) == ("everything else", 5.0, 1.0, 4.0)
    assert (rest.gated, rest.verdict) == (False, None)
    partly = checked(record(9, dit_time_s=None), []).metrics[-1]
    assert (partly.current, partly.baseline, partly.change) == (7.0, None, None)
    nothing = checked(record(9, text_encoder_time_s=None, dit_time_s=None, vae_decode_time_s=None)).metrics[-1]
    assert (nothing.current, nothing.message) == (None, "not measured")
    assert checked(record(9, latency=None)).metrics[-1].current is None


@pytest.mark.parametrize(
    ("fields", "worse"),
    [
        ({"latency": 10.81}, ["latency"]),
        ({"latency": 10.79}, []),
        ({"throughput": 4.1}, ["throughput"]),
        ({"throughput": 9.0, "latency": 5.0}, []),
        ({"memory": 10501.0}, ["memory"]),
        ({"memory": 10255.0}, []),
        ({"text_encoder_time_s": 1.2}, []),  # 20 %, but only 0.2 s
        ({"text_encoder_time_s": 1.3}, ["text_encoder_time_s"]),
        ({"dit_time_s": 6.31, "vae_decode_time_s": 1.0}, ["dit_time_s"]),
        ({"vae_decode_time_s": 2.25}, []),  # exactly as much as it may be
    ],
)
def test_worse_by_a_share_and_by_a_floor(fields: dict[str, float], worse: list[str]) -> None:
    found = checked(record(9, **fields))
    assert [metric.name for metric in found.metrics if metric.verdict == Verdict.REGRESSION] == worse
    assert found.verdict == (Verdict.REGRESSION if worse else Verdict.PASS)


def test_change_is_signed_as_it_moved() -> None:
    found = checked(record(9, latency=11.0, throughput=3.6))
    assert (of(found).change, of(found, "throughput").change) == (pytest.approx(0.1), pytest.approx(-0.2))


def test_the_first_of_its_kind_needs_calibration() -> None:
    found = checked(with_identity(9), [])
    assert (found.verdict, found.status) == (Verdict.NO_REFERENCE, "CALIBRATION_NEEDED")
    ineligible = [with_identity(1, baseline_eligible=False), with_identity(2, success=False)]
    assert checked(with_identity(9), ineligible).verdict == Verdict.NO_REFERENCE
    # records that are of the pair, but of no identity, are no baseline of one
    assert checked(with_identity(9)).verdict == Verdict.NO_REFERENCE


def test_trusted_records_of_another_recipe_are_a_mismatch_on_whatever_machine() -> None:
    other = with_identity(1, recipe_fingerprint="bb", hardware_profile_id="hw-9", baseline_eligible=False)
    found = checked(with_identity(9), [other])
    assert (found.verdict, found.status) == (Verdict.RECIPE_MISMATCH, "RECIPE_MISMATCH")
    assert "1 trusted record(s) of toy v1 version 3" in found.reason
    for harmless in ({"run_source": "pr"}, {"success": False}, {"benchmark_version": 2}):
        old = [with_identity(1, **({"recipe_fingerprint": "bb", "baseline_eligible": False} | harmless))]
        assert checked(with_identity(9), old).verdict == Verdict.NO_REFERENCE
    assert checked(with_identity(9), [other, with_identity(2)]).verdict == Verdict.PASS


def test_a_failed_run_is_infrastructure_unless_a_gate_explains_it() -> None:
    assert checked(record(9, success=False)).status == "INFRA_ERROR"
    assert checked(record(9, success=False, latency=20.0)).status == "REGRESSION"
    assert checked(record(9, success=False), []).status == "INFRA_ERROR"


def test_ceilings_are_a_gate_of_their_own() -> None:
    ceilings = {"latency": 9.5, "memory": 11000.0}
    found = checked(record(9), ceilings=ceilings)
    assert found.verdict == Verdict.REGRESSION and found.reason.endswith("latency 10 s, at most 9.5.")
    assert of(found).over_ceiling and not of(found, "memory").over_ceiling
    assert checked(record(9), [], ceilings=ceilings).verdict == Verdict.REGRESSION
    assert checked(record(9), ceilings={"latency": 10.0}).verdict == Verdict.PASS


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_baseline_of_nothing_gates_nothing(value: float) -> None:
    old = [record(day, latency=value) for day in range(1, 6)]
    found = checked(record(9, latency=100.0), old)
    assert (of(found).verdict, of(found).change) == (None, None)
    assert of(found).message == f"a baseline of {value:g} gates nothing" and found.verdict == Verdict.PASS


def test_what_is_not_measured_is_no_pass() -> None:
    nothing = dict.fromkeys(("latency", "throughput", "memory", "text_encoder_time_s", "dit_time_s"))
    found = checked(record(9, **nothing))
    assert (of(found).message, of(found).verdict, found.verdict) == ("not measured", None, Verdict.PASS)
    found = checked(record(9, **nothing, vae_decode_time_s=None))
    assert found.verdict == Verdict.INCONCLUSIVE and "No metric was measured" in found.reason
    assert of(checked(record(9), [record(1, latency=None)])).message == "not measured by the baseline"


def test_thresholds_come_from_the_record_or_from_who_asks() -> None:
    loose = {"latency": {"threshold_percent": 0.5}}
    now = record(9, latency=12.0, regression_thresholds=loose)
    assert checked(now).verdict == Verdict.PASS
    assert checked(now, overrides={}).verdict == Verdict.REGRESSION
    assert checked(record(9, latency=12.0), overrides={"latency": {"gated": False}}).verdict == Verdict.PASS
    assert checked(record(9, latency=12.0, regression_thresholds="none")).verdict == Verdict.REGRESSION
    assert serialized(policies(loose))["latency"] == {
        "threshold_percent": 0.5,
        "threshold_absolute": 0.5,
        "gated": True,
    }


@pytest.mark.parametrize(
    ("latencies", "verdict"),
    [
        ([10.0, 10.1, 9.9, 10.0, 10.1], Verdict.PASS),
        ([12.0, 12.1, 11.9, 12.0, 12.1], Verdict.REGRESSION),
        ([10.0, 10.2, 10.9, 11.5, 12.0], Verdict.INCONCLUSIVE),
        ([20.0, 20.0], Verdict.INCONCLUSIVE),
        ([], Verdict.INCONCLUSIVE),
    ],
)
def test_single_runs_say_how_sure_it_is(latencies: list[float], verdict: Verdict) -> None:
    now = record(9, latency=sorted(latencies)[len(latencies) // 2] if latencies else 10.0)
    found = checked(now, samples={"latency": latencies})
    assert (found.verdict, found.runs) == (verdict, len(latencies))
    if len(latencies) > 2:
        low, high = of(found).interval
        assert low <= of(found).change <= high


def test_of_throughput_the_lower_end_of_the_interval_is_the_bad_one() -> None:
    down = checked(record(9, throughput=3.0), samples={"throughput": [3.0, 3.01, 2.99]})
    assert of(down, "throughput").verdict == Verdict.REGRESSION
    unsure = checked(record(9, throughput=4.2), samples={"throughput": [4.0, 4.2, 4.4]})
    assert of(unsure, "throughput").verdict == Verdict.INCONCLUSIVE
    up = checked(record(9, throughput=9.0), samples={"throughput": [9.0, 5.0, 12.0]})
    assert of(up, "throughput").verdict == Verdict.PASS


def test_synthetic_weights_are_never_compared_with_real_ones_unless_asked() -> None:
    synthetic = record(9, weights="synthetic", latency=20.0)
    assert checked(synthetic).verdict == Verdict.NO_REFERENCE
    assert checked(synthetic, weights=None).verdict == Verdict.REGRESSION
    assert checked(record(9, latency=20.0), [synthetic]).verdict == Verdict.NO_REFERENCE


def test_a_record_is_not_its_own_baseline() -> None:
    stored = with_identity(9, comparison_status="PASS")
    assert checked(with_identity(9), [stored]).verdict == Verdict.NO_REFERENCE
    assert checked(with_identity(9), [with_identity(8), stored]).eligible == 1


def test_the_threshold_that_an_interval_may_not_hold_is_the_larger_of_the_two() -> None:
    found = checked(record(9, text_encoder_time_s=1.24), samples={"text_encoder_time_s": [1.2, 1.24, 1.3]})
    assert of(found, "text_encoder_time_s").verdict == Verdict.INCONCLUSIVE
    assert of(found, "text_encoder_time_s").allowed_change == 0.25


def test_a_baseline_that_once_was_nothing_has_no_interval() -> None:
    old = [record(1, latency=0.0), record(2, latency=10.0), record(3, latency=10.0)]
    found = checked(record(9), old, samples={"latency": [10.0, 10.1, 9.9]})
    assert (of(found).interval, of(found).verdict) == (None, Verdict.PASS)


def test_records_that_nobody_dated_are_not_taken_for_each_other() -> None:
    undated = [record(1, timestamp=None, commit_sha=None), record(2, timestamp="", commit_sha=None)]
    assert checked(record(9, timestamp=None, commit_sha=None), undated).eligible == 2
