# SPDX-License-Identifier: Apache-2.0
"""``op=bench`` from the command line: what it leaves behind, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fvhydra.performance.names import records_of_run, samples_path
from fvhydra.performance.record import PerfRecord, read_record
from fvhydra.performance.samples import read_samples
from tests.conftest import Cli
from tests.ops.folders import latest_of

MOCK = ("op=bench", "engine=mock", "model=wan21_t2v_1_3b", "op.runs=3")
SLEEPS = "engine.options.component_s={text_encoder_time_s: 0.01, dit_time_s: 0.04, vae_decode_time_s: 0.02}"


def made(folder: Path) -> tuple[PerfRecord, dict[str, list[float]], Any]:
    """The record of the latest run, its single runs, and the file of those."""
    [path] = records_of_run(folder / "outputs" / "latest")
    samples = samples_path(path)
    return read_record(path), read_samples(samples).values, json.loads(samples.read_text())


def test_a_record_and_its_single_runs(cli: Cli, tmp_path: Path) -> None:
    shown = cli(*MOCK, SLEEPS)
    assert shown.code == 0, shown.text
    assert "DiT" in shown.out and "everything else" in shown.out and "of the latency" in shown.out
    record, samples, raw = made(tmp_path)
    assert [run["kind"] for run in raw["runs"]] == ["first", "warmup", "measured", "measured", "measured"]
    assert "other_cpus" in raw["runs"][0]["conditions"] and raw["facts"]["memory_source"] == "process tree"
    assert record.value("dit_time_s") == pytest.approx(sorted(samples["dit_time_s"])[1], abs=1e-6) and record.success
    assert min(samples["dit_time_s"]) >= 0.04 and min(samples["vae_decode_time_s"]) >= 0.02
    assert "runs" not in record.fields and record.weights == "tiny"
    assert "Of 2 cases the first is measured; prompt_index= chooses another." in shown.out
    assert "is derived and in no shared baseline" in shown.out and "compared with none of real weights" in shown.out
    found = latest_of(tmp_path)
    assert [each["name"] for each in found["measurements"]] == [
        *("latency", "throughput", "memory"),
        *("text_encoder_time_s", "dit_time_s", "vae_decode_time_s", "other_time_s", "cpu_time_s"),
    ]
    assert 0 < found["measurements"][-1]["median"] < found["measurements"][0]["median"], "it sleeps most of the time"
    share = {each["name"]: each["share"] for each in found["measurements"]}
    median = {each["name"]: each["median"] for each in found["measurements"]}
    assert share["latency"] is None
    assert share["dit_time_s"] == pytest.approx(median["dit_time_s"] / median["latency"])
    page = (tmp_path / "outputs/latest/report/index.html").read_text()
    assert "Measured" in page and "everything else" in page
    assert "| `DiT` |" in (tmp_path / "outputs/latest/report/summary.md").read_text()
    assert f"op=check_perf run={Path('outputs/bench')}" in shown.out
    checked = cli("op=check_perf", "run=outputs/latest", f"op.mirror={tmp_path / 'mirror'}")
    assert checked.code == 3 and "no eligible record" in checked.out, checked.text


def test_a_benchmark_of_the_ecosystem(cli: Cli, tmp_path: Path) -> None:
    toy = {
        "config_schema_version": 2,
        "benchmark_id": "toy",
        "workload_id": "t",
        "variant_id": "v",
        "benchmark_version": 1,
        "model": {"model_path": "Wan-AI/Wan2.1-T2V-1.3B-Diffusers"},
        "generation_kwargs": {"height": 64, "width": 64, "num_frames": 5, "seed": 9, "embedded_cfg_scale": 6},
        "test_prompts": ["A cat"],
        "run_config": {"num_warmup_runs": 0, "num_measurement_runs": 2},
    }
    (tmp_path / "toy.json").write_text(json.dumps(toy))
    shown = cli("op=bench", "engine=mock", "model=wan21_t2v_1_3b", "op.benchmark_file=toy.json")
    assert shown.code == 0 and "Without effect with engine=mock: embedded_cfg_scale=6" in shown.out, shown.text
    record, _, raw = made(tmp_path)
    assert [run["kind"] for run in raw["runs"]] == ["first", "measured", "measured"]
    assert record.model_id == "toy" and record.fields["recipe"]["generation_kwargs"]["height"] == 64
    [case] = json.loads((tmp_path / "outputs/latest/manifest.json").read_text())["cases"]
    assert (case["prompt"], case["seed"]) == ("A cat", 9)
    refused = cli("op=bench", "engine=mock", "model=wan21_t2v_1_3b", "op.benchmark_file=toy.json", "seed=1")
    assert refused.code == 2 and "fixes what is generated, and seed=1 says otherwise" in refused.out
    (tmp_path / "odd.json").write_text(json.dumps(toy | {"generation_kwargs": {"num_frames": 6}}))
    odd = cli("op=bench", "engine=mock", "model=wan21_t2v_1_3b", "op.benchmark_file=odd.json")
    assert odd.code == 2 and "toy cannot be generated: sampling.num_frames=6: must be a multiple of 4" in odd.out


@pytest.mark.parametrize("model", ["ltx2", pytest.param("stable_audio_open", marks=pytest.mark.slow)])
def test_real_pipelines_decode_what_is_compared_as_latents(cli: Cli, tmp_path: Path, model: str) -> None:
    shown = cli("op=bench", f"model={model}", "op.runs=1", "op.warmup=1", "prompt_index=0")
    assert shown.code == 0, shown.text
    record, _, _ = made(tmp_path)
    for name in ("latency", "memory", "text_encoder_time_s", "dit_time_s", "vae_decode_time_s"):
        assert (record.value(name) or 0) > 0, name
    assert record.fields["other_time_s"] >= 0
    assert (record.value("throughput") is None) == (model == "stable_audio_open")


def test_an_engine_of_its_own_process_tells_its_own_memory(cli: Cli, tmp_path: Path) -> None:
    assert cli(*MOCK).code == 0
    here = made(tmp_path)[0].value("memory")
    assert cli(*MOCK, "engine.isolate=true").code == 0
    there = made(tmp_path)[0].value("memory")
    assert here and there and 10 < there < here, "the driver's libraries are not the engine's"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("op.runs=0",), "op.runs=0"),
        (("op.warmup=0",), "op.warmup=0"),
        (("op.benchmark_file=none.json",), "There is no benchmark file none.json"),
        (("benchmark=nothing",), "nothing"),
        (("benchmark=wan_t2v_1_3b_2gpu", "model=ltx2"), "measures Wan-AI/Wan2.1-T2V-1.3B-Diffusers"),
        (("benchmark.benchmark_id=mine",), "has no workload_id"),
        (("engine.options.component_s=fast",), "must be seconds of"),
        (("+engine.options.seconds=1",), "engine.options.seconds is unknown to engine=mock; it knows component_s."),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_runs(
    cli: Cli, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    shown = cli(*MOCK, *words)
    assert shown.code == 2 and said in shown.text, shown.text
    assert not (tmp_path / "outputs").exists()


def test_a_failure_leaves_a_record_of_it(cli: Cli, tmp_path: Path) -> None:
    slow = "engine.options.component_s={dit_time_s: 60}"
    shown = cli(*MOCK, slow, "engine.isolate=true", "engine.timeout_s=2")
    assert shown.code == 4, shown.text
    record, _samples, raw = made(tmp_path)
    assert not record.success and record.value("latency") is None and raw["runs"] == []
    assert "took too long for generating" in raw["facts"]["error"]


def test_a_dry_run_says_how_large_random_weights_are(cli: Cli, tmp_path: Path) -> None:
    shown = cli("op=bench", "model=wan21_t2v_1_3b", "tier=synthetic", "dry_run=true")
    said = " ".join(shown.out.split())
    assert shown.code == 0, shown.text
    assert "7.23 G parameters" in said and "weights take 24.3 GiB" in said and "text_encoder 21.2" in said
    assert "5 run(s) after 2" in said and not (tmp_path / "outputs").exists()
    refused = cli("op=bench", "model=wan21_t2v_1_3b", "tier=synthetic", "model.architecture=null")
    assert refused.code == 2 and "has no published architecture here" in refused.text


def test_a_wrong_part_of_its_options_is_named_with_its_whole_key(command: Cli) -> None:
    refused = command("op=bench", "engine=mock", "model=wan21_t2v_1_3b", PERF_RUN_SOURCE="bogus")
    assert refused.code == 2 and "op.ci.run_source='bogus': must be one of: pr, local" in refused.text, refused.text


def test_few_runs_say_what_becomes_of_them_and_a_sweep_shows_its_numbers(command: Cli, tmp_path: Path) -> None:
    shown = command("-m", *MOCK, "op.runs=2,3", "op.warmup=1")
    assert shown.code == 0, shown.text
    for job, count in enumerate((2, 3)):
        assert f"job {job}: wan21_t2v_1_3b-cpu on " in shown.out and f"(median of {count})" in shown.out, shown.text
    pages = sorted((tmp_path / "multirun").glob("bench/*/*/report/index.html"))
    assert ["op=check_perf is inconclusive after 2 run(s)" in page.read_text() for page in pages] == [True, False]
