# SPDX-License-Identifier: Apache-2.0
"""What is claimed of two sides, with differences that are known."""

from __future__ import annotations

import numpy as np
import pytest

from fvhydra.core.performance import PerfRatio
from fvhydra.performance.conditions import RunConditions
from fvhydra.performance.measure import VALUES, Run
from fvhydra.performance.ratio import interval, ratios, student_quantile, summary

PARTS = {"text_encoder_time_s": 0.1, "dit_time_s": 0.6, "vae_decode_time_s": 0.25, "other_time_s": 0.05}


def runs(seed: int, noise: float, count: int = 10, drift: float = 0.0, **slower: float) -> list[Run]:
    """Measured runs whose components take known times, with multiplicative noise, and slow down over time."""
    draw, found = np.random.default_rng(seed), []
    for at in range(count):
        parts: dict[str, float | None] = {
            name: seconds * slower.get(name, 1) * (1 + drift * at) * float(np.exp(draw.normal(0, noise)))
            for name, seconds in PARTS.items()
        }
        latency = sum(value or 0 for value in parts.values())
        values = {**dict.fromkeys(VALUES), **parts, "latency": latency, "throughput": 10 / latency, "memory": 1000.0}
        found.append(Run(at + 1, "measured", values, {}, RunConditions()))
    return [Run(0, "first", dict.fromkeys(VALUES), {}, RunConditions()), *found]


def claims(found: list[PerfRatio]) -> dict[str, str]:
    return {each.name: each.claim for each in found if each.claim}


def test_a_slowdown_of_a_component_is_found_and_named() -> None:
    found = ratios(runs(1, 0.005, dit_time_s=1.05), runs(2, 0.005))
    assert claims(found) == {"latency": "worse", "throughput": "worse", "dit_time_s": "worse"}
    dit = next(each for each in found if each.name == "dit_time_s")
    assert dit.ratio == pytest.approx(1.05, abs=0.01) and dit.interval is not None
    assert 1 < dit.interval[0] < 1.05 < dit.interval[1] + 0.005
    assert [each.title for each in summary(found)["worse"]] == ["latency", "throughput", "DiT"]
    better = ratios(runs(2, 0.005), runs(1, 0.005, dit_time_s=1.05))
    assert claims(better) == {"latency": "better", "throughput": "better", "dit_time_s": "better"}


def test_what_drifts_is_in_both() -> None:
    assert claims(ratios(runs(1, 0.005, drift=0.05), runs(2, 0.005, drift=0.05))) == {}


def test_two_equal_sides_claim_something_in_few_of_many_trials() -> None:
    wrong = sum(bool(claims(ratios(runs(2 * at, 0.03), runs(2 * at + 1, 0.03)))) for at in range(60))
    assert wrong <= 8, f"{wrong} of 60"  # 5 % of them, 3, and chance


def test_what_is_small_is_not_claimed_however_sure() -> None:
    assert claims(ratios(runs(1, 0.0001, dit_time_s=1.005), runs(2, 0.0001))) == {}, "under 1 %"
    assert claims(ratios(runs(1, 0.0001, other_time_s=1.08), runs(2, 0.0001))) == {}, "8 % of what is 5 % of all"
    assert claims(ratios(runs(1, 0.0001, other_time_s=1.15), runs(2, 0.0001))) == {"other_time_s": "worse"}


def test_too_few_pairs_claim_nothing() -> None:
    few = ratios(runs(1, 0.0, 7, dit_time_s=2.0), runs(2, 0.0, 7))
    assert claims(few) == {} and few[0].interval is None and few[0].ratio is not None and few[0].pairs == 7


def test_a_quantity_that_one_side_lacks_is_left_out() -> None:
    this = [
        Run(run.number, run.kind, {**run.values, "vae_decode_time_s": None}, {}, run.conditions) for run in runs(1, 0)
    ]
    assert "vae_decode_time_s" not in [each.name for each in ratios(this, runs(2, 0))]
    zero = [Run(run.number, run.kind, {**run.values, "memory": 0.0}, {}, run.conditions) for run in runs(1, 0)]
    memory = next(each for each in ratios(zero, runs(2, 0)) if each.name == "memory")
    assert memory.ratio is None and memory.claim == ""


@pytest.mark.parametrize(
    ("share", "freedom", "value"), [(0.975, 1, 12.706), (0.995, 9, 3.250), (0.9958, 9, 3.3617), (0.975, 1000, 1.962)]
)
def test_quantiles_are_those_of_tables(share: float, freedom: int, value: float) -> None:
    assert student_quantile(share, freedom) == pytest.approx(value, rel=2e-3)


def test_an_interval_is_the_same_in_any_process_and_grows_with_its_level() -> None:
    values = list(np.random.default_rng(5).normal(0, 1, 12))
    low, high = interval(values, 0.95)
    assert interval(values, 0.95) == (low, high) and low < float(np.median(values)) < high
    wider = interval(values, 0.99)
    assert wider[0] <= low and high <= wider[1]


def test_memory_is_claimed_from_an_amount_on_and_cpu_time_like_a_part() -> None:
    def used(side: list[Run], **values: float) -> list[Run]:
        return [Run(run.number, run.kind, {**run.values, **values}, {}, run.conditions) for run in side]

    usual = used(runs(2, 0), cpu_time_s=1.0)
    assert claims(ratios(used(usual, memory=1050.0), usual)) == {}, "5 %, and what an allocator keeps by chance"
    assert claims(ratios(used(usual, memory=1070.0), usual)) == {"memory": "worse"}
    assert claims(ratios(used(usual, cpu_time_s=1.03), usual)) == {"cpu_time_s": "worse"}
    assert claims(ratios(used(usual, cpu_time_s=1.004), usual)) == {}
