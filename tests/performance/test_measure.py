# SPDX-License-Identifier: Apache-2.0
"""Runs of an engine that takes known times."""

from __future__ import annotations

from typing import Any

import pytest

from fvhydra.core.progress import Silent
from fvhydra.engines.base import PROCESS_TREE
from fvhydra.engines.mock import MockEngine
from fvhydra.performance.conditions import RunConditions
from fvhydra.performance.measure import (
    VALUES,
    Run,
    kinds,
    marked,
    measure,
    medians,
    memory_source,
    samples,
    warnings,
)
from fvhydra.testing import cases

SLEEPS = {"text_encoder_time_s": 0.02, "dit_time_s": 0.05, "vae_decode_time_s": 0.03}


def engine(**component_s: float) -> MockEngine:
    return MockEngine(cases.engine_config("mock", component_s=component_s))


def test_times_of_components_and_what_is_left_add_up() -> None:
    runs = measure(engine(**SLEEPS), cases.case("wan21_t2v_1_3b"), kinds(2, 3), Silent())
    assert [(run.number, run.kind) for run in runs] == [
        *[(1, "first"), (2, "warmup")],
        *[(3, "measured"), (4, "measured"), (5, "measured")],
    ]
    for run in runs:
        values: dict[str, Any] = run.values
        for name, wanted in SLEEPS.items():
            assert wanted <= values[name] < wanted + 0.05
        assert values["other_time_s"] >= 0
        assert sum(values[name] for name in SLEEPS) + values["other_time_s"] == pytest.approx(values["latency"])
        assert values["throughput"] == pytest.approx(5 / values["latency"])
        assert values["memory"] == run.memory_mb[PROCESS_TREE] > 10
    assert memory_source(runs) == PROCESS_TREE


def test_sound_has_no_frames_a_second() -> None:
    case = cases.case("stable_audio_open", model=cases.model("stable_audio_open", artifact="pixel"))
    [run] = measure(engine(), case, ["measured"], Silent())
    assert run.values["throughput"] is None and run.values["latency"]
    assert run.values["other_time_s"] is None, "with no component known there is no rest"


def run(number: int, kind: str = "measured", **values: float | None) -> Run:
    every = dict.fromkeys(VALUES)
    return Run(number, kind, every | values, {"cuda:0": 5.0}, RunConditions())


def test_medians_are_of_measured_runs_alone() -> None:
    runs = [run(1, "first", latency=9), run(2, "warmup", latency=7), *[run(3 + at, latency=at) for at in range(3)]]
    assert medians(runs)["latency"] == 1 and samples(runs, "latency") == [0, 1, 2]
    assert medians([*runs, run(9)])["latency"] is None, "a run without the value leaves no median"
    assert medians(runs[:2])["latency"] is None and memory_source(runs) == "cuda" and memory_source([]) is None


def test_one_warm_up_is_always_there() -> None:
    assert kinds(1, 1) == ["first", "measured"] and kinds(3, 1) == ["first", "warmup", "warmup", "measured"]


def test_what_makes_numbers_less_than_they_look_is_said() -> None:
    good = [run(at, latency=1.0, other_time_s=0.1, **SLEEPS) for at in (1, 2)]
    assert list(warnings(good)) == []
    [said] = warnings([*good, run(3, latency=1.0, other_time_s=-0.25, **SLEEPS)])
    assert "more than the whole, by up to 0.25 s" in said
    [said] = warnings([run(1, latency=1.0, dit_time_s=0.5, text_encoder_time_s=0.1, other_time_s=0.4)])
    assert said == "No time was told for vae_decode_time_s; it is in other_time_s."
    moved = marked([run(1, "first"), run(2), Run(3, "measured", run(3).values, {}, RunConditions(other_cpus=1e6))])
    assert moved[0].moved == moved[1].moved == ()
    assert "Conditions moved in 1 of 2 measured run(s) (run 3: other processes kept" in next(warnings(moved))
