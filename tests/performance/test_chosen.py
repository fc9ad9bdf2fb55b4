# SPDX-License-Identifier: Apache-2.0
"""The benchmark of a job, and the record that comes of it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from fvhydra.config.benchmark import BenchmarkConfig
from fvhydra.config.op import CiConfig
from fvhydra.core.case import Case
from fvhydra.core.errors import UsageError
from fvhydra.core.progress import Silent
from fvhydra.engines.fastvideo import generator_config
from fvhydra.ops.context import Prepared
from fvhydra.ops.generation import load_request
from fvhydra.performance.chosen import BenchmarkJob, benchmark_job, chosen_benchmark
from fvhydra.performance.conditions import RunConditions
from fvhydra.performance.made import Surroundings, perf_record, recipe_of, run_source
from fvhydra.performance.measure import VALUES, Run
from fvhydra.performance.recipe import recipe_fingerprint
from fvhydra.performance.record import checked_record
from fvhydra.testing import cases
from tests.launch.jobs import composed, job

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden" / "perf_records.json").read_text())
WAN = ("model=wan21_t2v_1_3b", "benchmark=wan_t2v_1_3b_2gpu")
L40S = {"name": "NVIDIA L40S", "memory_bytes": 47821291520, "compute_capability": "8.9"}


def odd(pair: dict[str, Any]) -> bool:
    """Whether it measures other prompts than its own, or a model in a folder."""
    return "measured_prompts" in pair["arguments"] or pair["config"]["model"]["model_path"] != "org/toy"


def job_of(*words: str, file: Path | None = None) -> tuple[BenchmarkJob, Case]:
    job = benchmark_job(composed(*words), None if file is None else str(file), words)
    return job, Prepared(job.config).cases[0]


def test_a_benchmark_fixes_what_is_generated() -> None:
    job, case = job_of(*WAN, "engine=fastvideo", "tier=full_quality", "gpu=l40s")
    sampling = case.sampling
    assert (sampling.height, sampling.width, sampling.num_frames, sampling.num_inference_steps) == (480, 832, 45, 4)
    assert (sampling.guidance_scale, case.seed, sampling.fps, sampling.flow_shift) == (3, 1024, 24, 7.0)
    assert sampling.vae_tiling and (case.gpu.count, sampling.sp_size) == (2, 2)
    assert case.prompt.startswith("Will Smith") and case.negative_prompt.startswith("Bright tones")  # type: ignore
    told = generator_config(load_request(job.config, [case]))
    assert told["pipeline"]["experimental"]["vae_sp"] is True
    assert told["pipeline"]["experimental"]["text_encoder_precisions"] == ["fp32"]
    assert job.dropped == {"embedded_cfg_scale": 6}, "no field of FastVideo's request takes it"
    ceilings = job.benchmark.ceilings("NVIDIA L40S")
    assert ceilings == {
        "latency": 34.0,
        "memory": 11000.0,
        "text_encoder_time_s": 5.0,
        "dit_time_s": 10.0,
        "vae_decode_time_s": 10.0,
    }


def test_an_engine_without_fastvideos_words_says_what_it_drops() -> None:
    job, case = job_of(*WAN, "tier=default", "gpu=l40s")
    assert job.dropped == {"vae_sp": True, "embedded_cfg_scale": 6}
    assert case.model.component_dtypes["text_encoder"] == "float32"


@pytest.mark.parametrize("known", [pair for pair in GOLDEN["identity"] if not odd(pair)])
def test_fastvideos_recipe_is_the_one_that_its_own_code_writes(known: dict[str, Any], tmp_path: Path) -> None:
    config = known["config"]
    path = tmp_path / "toy.json"
    path.write_text(json.dumps({"config_schema_version": 2, **config}))
    words = ("model=wan21_t2v_1_3b", "engine=fastvideo", "tier=default", "gpu=l40s", "model.weights=org/toy")
    job, case = job_of(*words, file=path)
    arguments = known["arguments"]
    asked = arguments.get("attention_backend", "auto")
    backend = dataclasses.replace(cases.backend(asked.lower()), folder=asked.upper())
    where = Surroundings(
        {
            "attention_backend": arguments.get("resolved_attention_backend"),
            "weights_revision": arguments.get("resolved_model_revision"),
        }
    )
    recipe = recipe_of(job, dataclasses.replace(case, backend=backend), where)
    assert recipe == known["recipe"] and recipe_fingerprint(recipe) == known["fingerprint"]


def test_other_engines_and_other_weights_are_other_recipes() -> None:
    jobs = [
        job_of(*WAN, "engine=fastvideo", "tier=default", "gpu=l40s"),
        job_of(*WAN, "tier=default", "gpu=l40s"),
        job_of(*WAN, "tier=synthetic", "gpu=l40s"),
        job_of(*WAN, "tier=default", "gpu=l40s", "engine.options.offload=model"),
        job_of(*WAN, "tier=default", "gpu=l40s", "backend=flash_attn"),
    ]
    prints = [recipe_fingerprint(recipe_of(job, case, Surroundings())) for job, case in jobs]
    assert len(set(prints)) == len(prints)


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ((*WAN, "seed=3"), "fixes what is generated, and seed=3 says otherwise"),
        ((*WAN, "sampling.height=176"), "sampling.height=176 says otherwise"),
        ((*WAN, "++prompt=A cat"), r"\+\+prompt=A cat says otherwise"),
        (("model=ltx2", WAN[1]), "measures Wan-AI/Wan2.1-T2V-1.3B-Diffusers, and model=ltx2 is FastVideo/LTX2"),
    ],
)
def test_a_command_that_says_otherwise_is_refused(words: tuple[str, ...], wrong: str) -> None:
    with pytest.raises(UsageError, match=wrong):
        job_of(*words)


def test_one_benchmark_at_a_time(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="both name a benchmark"):
        job_of(*WAN, file=tmp_path / "other.json")
    assert chosen_benchmark(BenchmarkConfig(), None) is None
    with pytest.raises(ValueError, match="has no workload_id, variant_id, benchmark_version; a benchmark has all of"):
        BenchmarkConfig(benchmark_id="mine")


# ------------------------------------------------------------------------------------------------------------- records
def run(at: int, latency: float) -> Run:
    values: dict[str, float | None] = {**dict.fromkeys(VALUES), "latency": latency, "memory": 900.0 + at}
    return Run(at, "measured", values, {"cuda:0": 900.0 + at, "cuda:1": 5.0}, RunConditions())


def test_a_record_has_medians_identity_and_origin() -> None:
    job, case = job_of(*WAN, "engine=fastvideo", "tier=default", "gpu=l40s")
    where = Surroundings(
        {"device": "NVIDIA L40S", "engine.git_commit": "c" * 40},
        {"python": "3.12.3", "torch": "2.11.0+cu130", "cuda": "13.0", "flash-attn": "2.8.3", "git_commit": "d" * 40},
        [L40S, L40S],
    )
    record = perf_record(job, case, [run(1, 3.0), run(2, 1.0), run(3, 2.0)], where, CiConfig(pr_number="7"))
    assert checked_record(dict(record.fields), "it").identity is not None, "it is one that can be read"
    assert (record.model_id, record.gpu_type, record.commit_sha) == ("wan-t2v-1.3b-2gpu", "NVIDIA L40S", "c" * 40)
    assert (record.value("latency"), record.value("memory"), record.value("dit_time_s")) == (2.0, 902.0, None)
    assert record.success and not record.eligible and record.weights == "real" and record.run_source == "pr"
    assert record.fields["hardware_profile"]["gpus"][1]["memory_gb"] == 45
    assert record.fields["software_profile"]["pytorch"] == "2.11.0+cu130"
    assert record.fields["software_comparison_profile"] == {
        "python": "3.12",
        "pytorch": "2.11",
        "cuda": "13.0",
        "packages": {"flash_attn": "2.8.3"},
    }
    assert record.fields["memory_source"] == "cuda" and "benchmark_declared" not in record.fields
    known = next(item for item in GOLDEN["hardware"] if item["arguments"].get("num_gpus") == 2)
    assert record.fields["hardware_profile"]["gpus"] == known["profile"]["gpus"]


def test_a_derived_id_says_so_and_random_weights_too() -> None:
    job, case = job_of("model=wan21_t2v_1_3b", "tier=synthetic", "gpu=h100")
    record = perf_record(job, case, [run(1, 1.0)], Surroundings(devices=[L40S]), CiConfig(commit="e" * 40))
    assert record.model_id == "wan21_t2v_1_3b-1gpu" and record.weights == "synthetic"
    assert record.fields["benchmark_declared"] is False and record.run_source == "unknown"
    assert record.fields["recipe"]["model"]["model_path"] == "synthetic:wan21_t2v_1_3b"


def test_without_runs_it_is_the_record_of_a_failure() -> None:
    job, case = job_of(*WAN, "tier=default", "gpu=l40s")
    record = perf_record(job, case, [], Surroundings(), CiConfig())
    assert not record.success and record.value("latency") is None
    # of the two that the tier asks for, engine=diffusers uses one
    assert [gpu["name"] for gpu in record.fields["hardware_profile"]["gpus"]] == ["unknown"]
    job, case = job_of(*WAN, "tier=default", "gpu=l40s", "engine=fastvideo")
    record = perf_record(job, case, [], Surroundings(), CiConfig())
    assert [gpu["name"] for gpu in record.fields["hardware_profile"]["gpus"]] == ["unknown", "unknown"]


@pytest.mark.parametrize(
    ("said", "source"),
    [
        ({}, "local"),
        ({"commit": "c"}, "unknown"),
        ({"commit": "c", "pr_number": "12"}, "pr"),
        ({"commit": "c", "branch": "main"}, "unknown"),
        ({"commit": "c", "branch": "main", "test_scope": "full"}, "scheduled_main"),
        ({"commit": "c", "branch": "main", "test_scope": "full", "pr_number": "false"}, "scheduled_main"),
        ({"pr_number": "12", "run_source": "scheduled_main"}, "scheduled_main"),
        ({"run_source": ""}, "local"),
    ],
)
def test_where_a_measurement_comes_from(said: dict[str, str], source: str) -> None:
    assert run_source(CiConfig(**said)) == source  # type: ignore[arg-type]


def test_a_worker_elsewhere_gets_the_benchmark_too(tmp_path: Path) -> None:
    (tmp_path / "toy.json").write_text("{}")
    words = ("op=bench", "engine=mock", "model=wan21_t2v_1_3b", f"op.benchmark_file={tmp_path / 'toy.json'}")
    given = job(tmp_path, *words)
    inputs = given.op.job_inputs(given.context(Silent()))
    assert inputs.files[tmp_path / "toy.json"] is None
    assert inputs.config.op.benchmark_file == str(tmp_path / "toy.json")  # type: ignore[attr-defined]
