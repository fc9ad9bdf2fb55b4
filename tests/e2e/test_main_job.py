# SPDX-License-Identifier: Apache-2.0
"""The main job on real input: the real LTX-2 pipeline class with tiny weights, from seeding to a regression."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.conftest import ROOT, Cli, Command


@pytest.fixture(scope="module")
def seeded_store(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> tuple[Path, Command]:
    """A store with the references of LTX-2 and Wan, made once for this module."""
    from tests.conftest import run_cli

    folder = tmp_path_factory.mktemp("seeded")
    first = run_cli(folder, cache_dir, "op=seed_ssim", "model=ltx2", "op.confirm=upload")
    return folder, first


@pytest.fixture
def seeded(seeded_store: tuple[Path, Command], tmp_path: Path) -> Path:
    """A copy of that store for one test, where ``cli`` looks for it."""
    shutil.copytree(seeded_store[0] / "store", tmp_path / "store")
    return tmp_path / "store"


def _result(folder: Path) -> dict:
    return json.loads((folder / "outputs" / "latest" / "result.json").read_text())


def test_seeding_prints_numerics_and_publishes(seeded_store: tuple[Path, Command]) -> None:
    folder, command = seeded_store
    assert command.code == 0, command.text
    for criterion in ("format_version: 1", "shape: 1 x 128 x", "finite: 0 NaN", "mean:", "std:", "prompt:"):
        assert criterion in command.out
    assert "FAIL" not in command.out and "Published 2 file(s)" in command.out
    [reference] = (folder / "store" / "current").rglob("*.pt")
    assert reference.parts[-5:-1] == ("smoke", "CPU_reference_videos", "LTX2-Distilled-Diffusers", "TORCH_SDPA")
    assert reference.stem == reference.stem.strip() and reference.stem.startswith("A warm sunny backyard. The camera")
    sidecar = json.loads(Path(f"{reference}.json").read_text())
    assert sidecar["recipe"]["seed"] == 10 and sidecar["environment"]["torch"]


def test_the_same_again_is_refused(cli: Cli, seeded: Path, tmp_path: Path) -> None:
    command = cli("op=seed_ssim", "model=ltx2", "op.confirm=upload")
    assert command.code == 2
    assert "A warm sunny backyard" in command.text and "op=reseed_ssim" in command.text
    assert not (tmp_path / "outputs").exists()


def test_an_unchanged_engine_passes(cli: Cli, seeded: Path, tmp_path: Path) -> None:
    command = cli("op=check_ssim", "model=ltx2")
    assert command.code == 0, command.text
    run = tmp_path / "outputs" / "latest"
    [numbers] = run.rglob("steps4_*_latent.json")
    record = json.loads(numbers.read_text())
    assert record["passed"] and record["metrics"]["full_cosine_distance"] < 1e-6
    assert set(record) >= {"reference_latent", "generated_latent", "model_id", "attention_backend", "slice_spec"}
    suite = ElementTree.parse(run / "report" / "junit.xml").getroot()
    assert suite.find(".//testcase") is not None and suite.find(".//failure") is None
    assert (run / "report" / "index.html").is_file() and (run / "report" / "summary.md").is_file()


@pytest.mark.parametrize("change", ["seed=11", "sampling.num_inference_steps=3"])
def test_another_recipe_is_never_a_number(cli: Cli, seeded: Path, tmp_path: Path, change: str) -> None:
    command = cli("op=check_ssim", "model=ltx2", change)
    assert command.code == 3, command.text
    [case] = _result(tmp_path)["cases"]
    assert case["verdict"] == "recipe_mismatch" and case["comparison"] is None
    key = change.partition("=")[0]
    assert key in [item["key"] for item in case["recipe_difference"]]


def test_perturbed_weights_are_a_regression_that_shows_where(cli: Cli, seeded: Path, tmp_path: Path) -> None:
    command = cli("op=check_ssim", "model=ltx2", "tier.perturb_weights=0.2")
    assert command.code == 1, command.text
    assert "full_cosine_distance" in command.out and "FAIL" in command.out
    [case] = _result(tmp_path)["cases"]
    run = tmp_path / "outputs" / "latest"
    assert (run / case["difference_map"]).is_file()
    assert "data:image/png" in (run / "report" / "index.html").read_text()
    assert ElementTree.parse(run / "report" / "junit.xml").getroot().find(".//failure") is not None


def test_without_a_reference_the_seeding_command_is_given(cli: Cli, tmp_path: Path) -> None:
    command = cli("op=check_ssim", "model=ltx2", "tier.perturb_weights=0.2")
    assert command.code == 3
    assert "op=seed_ssim model=ltx2" in command.out
    assert _result(tmp_path)["cases"][0]["verdict"] == "no_reference"
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("model", ["wan21_t2v_1_3b", pytest.param("stable_audio_open", marks=pytest.mark.slow)])
def test_the_other_kinds(cli: Cli, tmp_path: Path, model: str) -> None:
    """Pixels as .mp4 with per-frame values; audio latents. Both models' prompts, each with a reference of its own."""
    seeded = cli("op=seed_ssim", f"model={model}", "op.confirm=upload")
    assert seeded.code == 0, seeded.text
    command = cli("-m", "op=check_ssim", f"model={model}", "tier.perturb_weights=0,0.3")
    assert command.code == 1, command.text
    [sweep] = (tmp_path / "multirun" / "check_ssim").iterdir()
    unchanged, perturbed = (json.loads((sweep / number / "result.json").read_text()) for number in "01")
    assert [unchanged["verdict"], perturbed["verdict"]] == ["pass", "regression"]
    assert len(unchanged["cases"]) == 2
    comparison = unchanged["cases"][0]["comparison"]
    if model == "wan21_t2v_1_3b":
        assert comparison["mean_ssim"] > 0.999 and len(comparison["per_frame"]) == comparison["frames"] > 1
        assert next((sweep / "0").rglob("steps*_ssim.json"))
    else:
        assert comparison["full_cosine_distance"] < 1e-6


def test_the_store_reads_as_a_data_set_of_today(seeded: Path) -> None:
    """The materialised tree has exactly the files that other tools look for, and their sidecars."""
    names = sorted(path.name for path in (seeded / "current").rglob("*") if path.is_file())
    assert [name for name in names if not name.endswith(".json")] == [
        "A warm sunny backyard. The camera starts in a tight cinematic close-up of a woman and a man in their.pt"
    ]


def test_make_lists_its_targets() -> None:
    import subprocess

    listed = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True).stdout
    targets = [line.split()[1] for line in listed.splitlines() if line.startswith("  make ")]
    assert {"demo", "test", "seed", "check", "sweep", "doctor", "bench"} <= set(targets) and len(targets) <= 15
