# SPDX-License-Identifier: Apache-2.0
"""Benchmarks of the ecosystem's files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fvhydra.core.errors import UsageError
from fvhydra.performance.benchmark import parse_benchmark, read_benchmark_file

WAN: dict[str, Any] = {
    "benchmark_id": "wan-t2v-1.3b-2gpu",
    "config_schema_version": 2,
    "workload_id": "wan-t2v",
    "variant_id": "1.3b-sp2",
    "benchmark_version": 3,
    "description": "ours knows no such key",
    "model": {"model_path": "Wan-AI/Wan2.1-T2V-1.3B-Diffusers"},
    "init_kwargs": {"num_gpus": 2, "vae_sp": True},
    "generation_kwargs": {"height": 480, "seed": 1024},
    "test_prompts": ["A cat"],
    "run_config": {"num_warmup_runs": 2, "num_measurement_runs": 5, "required_gpus": 2, "more": 1},
    "thresholds": {
        "L40S": {"max_generation_time_s": 34.0, "max_peak_memory_mb": 11000.0, "max_dit_time_s": 10.0},
        "B200": {"max_generation_time_s": 5.0},
        "GB200": {"max_generation_time_s": 4.0},
        "RTX4090": {"max_generation_time_s": 60.0, "max_peak_memory_mb": None},
        "default": {"max_generation_time_s": 120.0},
    },
}


def test_a_file_of_the_ecosystem(tmp_path: Path) -> None:
    path = tmp_path / "wan.json"
    path.write_text(json.dumps(WAN))
    found = read_benchmark_file(path)
    assert (found.benchmark_id, found.benchmark_version, found.test_prompts) == ("wan-t2v-1.3b-2gpu", 3, ("A cat",))
    assert (found.run_config.num_warmup_runs, found.run_config.required_gpus) == (2, 2)
    assert found.generation_kwargs == WAN["generation_kwargs"]


@pytest.mark.parametrize(
    ("gpu", "ceilings"),
    [
        ("NVIDIA L40S", {"latency": 34.0, "memory": 11000.0, "dit_time_s": 10.0}),
        ("NVIDIA L40", {"latency": 120.0}),
        ("NVIDIA GB200", {"latency": 4.0}),
        ("NVIDIA B200", {"latency": 5.0}),
        ("NVIDIA GeForce RTX 4090", {"latency": 60.0}),
        ("cpu", {"latency": 120.0}),
    ],
)
def test_ceilings_are_those_of_the_device(gpu: str, ceilings: dict[str, float]) -> None:
    assert parse_benchmark(WAN, "wan.json").ceilings(gpu) == ceilings


def test_the_longest_word_for_a_device_wins_and_a_part_of_a_word_is_none() -> None:
    limits = {"H100": {"max_dit_time_s": 2.0}, "H100 NVL": {"max_dit_time_s": 1.0}, "B200": {"max_dit_time_s": 3.0}}
    found = parse_benchmark(WAN | {"thresholds": limits}, "wan.json")
    assert found.ceilings("NVIDIA H100 NVL") == {"dit_time_s": 1.0}
    assert found.ceilings("NVIDIA H100 80GB HBM3") == {"dit_time_s": 2.0}
    assert found.ceilings("NVIDIA GB200") == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"config_schema_version": 1}, "wan.json has config_schema_version 1; a benchmark with an identity has 2"),
        ({"variant_id": ""}, "wan.json has no variant_id"),
        ({"benchmark_version": None}, "wan.json has no benchmark_version"),
        ({"init_kwargs": []}, "wan.json is not a benchmark: init_kwargs"),
        ({"thresholds": {"L40S": {"max_dit_time_s": "fast"}}}, "wan.json is not a benchmark: thresholds"),
    ],
)
def test_what_is_no_benchmark(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        parse_benchmark(WAN | change, "wan.json")
    with pytest.raises(UsageError, match="is not a benchmark"):
        parse_benchmark([], "wan.json")
