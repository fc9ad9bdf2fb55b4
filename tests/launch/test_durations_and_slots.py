# SPDX-License-Identifier: Apache-2.0
"""Composing many jobs, what fits beside what, and which goes first."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from fvhydra.config.launcher import PoolLauncherConfig
from fvhydra.config.load import build_config
from fvhydra.config.problems import ConfigError
from fvhydra.config.schema import conf_dir
from fvhydra.launch import durations
from fvhydra.launch.compose import Composer
from fvhydra.launch.job import Job
from fvhydra.launch.slots import Demand, Slots, devices_here
from tests.launch.jobs import job, know_everything

WORDS = {
    "model": ("ltx2", "wan21_t2v_1_3b", "hunyuan_i2v"),
    "gpu": ("cpu", "l40s"),
    "sampling.num_gpus": ("1", "2"),
    "sampling.num_inference_steps": ("3", "7"),
    "seed": ("1", "${sampling.num_inference_steps}", "123"),
    "prompt": ("null", "'a, cat'", "'${gpu.name} \\U0001f3ac'"),
    "+engine.options.how": ("none", "1", "{a: 1}", "[1, 2]"),
    "model.constraints": ("{frames_multiple: 1}", "{size_multiple: 1}"),
    "store.path": ("here", "there"),
    "runtime.threads": ("0", "2"),
}


def test_jobs_composed_together_are_those_composed_alone() -> None:
    know_everything()
    chance = random.Random(7)
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        common = loader.load_configuration("config", ["store.path=x"], run_mode=RunMode.MULTIRUN)
        composer = Composer(loader, common)
        for number in range(20):
            keys = ("model", "seed", "prompt", *chance.sample(list(WORDS), 2)) if number % 2 else ("seed", "prompt")
            words = [f"{key}={chance.choice(WORDS[key])}" for key in dict.fromkeys(keys)]
            alone = build_config(loader.load_sweep_config(common, words))
            assert composer(words, number) == alone, words
        for count in (1, 2, 1):  # gpu.count is a reference to it
            assert composer(["gpu=l40s", f"sampling.num_gpus={count}"], 0).gpu.count == count
        with pytest.raises(ConfigError, match="seed"):
            composer(["seed=-1", "prompt=null"], 0)
        assert composer(["seed=5", "prompt=null"], 0).seed == 5


def test_on_a_machine_with_several_types_a_job_waits_for_its_own() -> None:
    slots = Slots(["0", "1", "2"], 4, 8.0, 9, {"0": "NVIDIA H100", "1": "NVIDIA A40", "2": "NVIDIA A40"})
    a40 = Demand(1, 0, 0.0, r"\bA40\b")
    assert [slots.take(a40) for _ in range(3)] == [("1",), ("2",), None]
    slots.give_back(a40, ("2",))
    assert slots.take(a40) == ("2",)
    assert slots.take(Demand(1, 0, 0.0, r"\bB200\b")) == (
        "0",
    )  # there is none: its op has refused it, or need not care


def test_how_many_run_at_a_time_is_counted_from_the_smallest() -> None:
    slots = _slots("0", cpus=16, workers=16)
    on_gpu, on_cpu = Demand(1, 0, 0.0), Demand(0, 4, 0.0)
    assert slots.most_at_a_time([on_gpu] * 3) == 1
    assert slots.most_at_a_time([on_gpu, *[on_cpu] * 9]) == 5
    assert (slots.devices, slots.cpus, slots.workers) == (["0"], 16, 16)


def _slots(devices: str = "", cpus: int = 4, memory_gb: float = 8.0, workers: int = 9) -> Slots:
    return Slots(devices.split(), cpus, memory_gb, workers)


def test_what_is_taken_is_given_back() -> None:
    slots, chance = _slots("a b c", 8, 16.0, 5), random.Random(3)
    held: list[tuple[Demand, tuple[str, ...]]] = []
    for _ in range(500):
        if held and chance.random() < 0.5:
            slots.give_back(*held.pop(chance.randrange(len(held))))
        else:
            demand = Demand(chance.randint(0, 3), chance.randint(0, 9), chance.choice([0.0, 4.0, 99.0]))
            devices = slots.take(demand)
            if devices is not None:
                assert len(devices) == demand.devices
                held.append((demand, devices))
        used = [device for _, devices in held for device in devices]
        assert len(set(used)) == len(used) and len(held) <= 5
        assert sum(min(demand.cpus, 8) for demand, _ in held) <= 8
        assert sum(min(demand.memory_gb, 16.0) for demand, _ in held) <= 16.0
    for item in held:
        slots.give_back(*item)
    assert (sorted(slots.devices), slots.cpus, slots.memory_gb, slots.workers) == (["a", "b", "c"], 8, 16.0, 5)


def test_a_job_larger_than_the_machine_runs_alone() -> None:
    slots = _slots(cpus=2, memory_gb=4.0)
    assert slots.take(Demand(0, 64, 100.0)) == ()
    assert slots.take(Demand(0, 1, 0.0)) is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [("0,1", ["0", "1"]), (" GPU-a , 3", ["GPU-a", "3"]), ("", []), ("-1", []), ("NoDevFiles", [])],
)
def test_visible_devices_are_what_the_environment_says(
    given: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert devices_here() == expected


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ("GPU 0: NVIDIA L40S (UUID: GPU-1)\nGPU 1: NVIDIA L40S (UUID: GPU-2)\n", ["0", "1"]),
        ("GPU 0: H100 (UUID: GPU-1)\n  MIG 1g.10gb     Device  0: (UUID: MIG-7)\n", ["MIG-7"]),
        (None, []),
    ],
)
def test_else_what_the_driver_lists(
    listed: str | None, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    if listed is not None:
        (tmp_path / "listed").write_text(listed)
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\nexec /bin/cat {tmp_path}/listed\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    assert devices_here() == expected


def test_earlier_runs_and_else_the_amount_of_work_say_how_long_a_job_takes(tmp_path: Path) -> None:
    jobs = [_job(number, tmp_path, number_of_steps) for number, number_of_steps in enumerate([2, 50, 10])]
    guessed = durations.expected_s(jobs)
    assert sorted(guessed, key=lambda number: -guessed[number]) == [1, 2, 0]
    assert [durations.known_s(job) for job in jobs] == [None, None, None]
    files_of = jobs[0].folder
    files_of.start(op="generate", model="m", title="", command=[], config={})
    files_of.update_manifest(created="2026-01-01T00:00:00Z")
    files_of.set_state("finished")
    ended = files_of.path / "status" / "status.json"
    ended.write_text(json.dumps(json.loads(ended.read_text()) | {"updated": "2026-01-01T00:01:40Z"}))
    durations.remember(jobs[0])
    expected = durations.expected_s(jobs)
    assert expected == pytest.approx({0: 100, 1: 2500, 2: 500})


def _job(number: int, folder: Path, steps: int) -> Job:
    words = ("model=ltx2", f"sampling.num_inference_steps={steps}", f"runtime.cache_dir={folder}")
    return job(folder / str(number), *words, number=number)


def test_demand_is_what_the_configuration_says(tmp_path: Path) -> None:
    def demand(*words: str) -> Demand:
        return Demand.of(job(tmp_path, "launcher=pool", *words))

    assert demand() == Demand(0, 1, 0.0)
    assert demand("runtime.threads=3") == Demand(0, 3, 0.0)
    two = ("gpu=l40s", "sampling.num_gpus=2")
    assert demand(*two, "engine=mock") == Demand(2, 0, 0.0)
    assert demand(*two) == Demand(1, 0, 0.0)  # engine=diffusers computes on one what others split
    assert demand("op=doctor", *two) == Demand(0, 1, 0.0)
    assert demand("launcher.cpus_per_job=5", "launcher.memory_gb_per_job=2.5") == Demand(0, 5, 2.5)
    assert Slots.here(PoolLauncherConfig(name="pool", devices=["7"], workers=3)).workers == 3
