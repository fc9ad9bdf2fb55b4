# SPDX-License-Identifier: Apache-2.0
"""A command for a GPU that cannot work is refused before torch is loaded, by what the driver lists."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli
from tests.gpus import H100, MIXED, path_with

CHECK = ("op=generate", "model=wan21_t2v_1_3b", "tier=default", "prompt=a cat")
TWO = ("-m", *CHECK, "seed=1,2")


@pytest.fixture
def told(tmp_path: Path) -> dict[str, Any]:
    """A process of its own that finds libraries which cannot be imported, a torch built for CUDA, and one H100."""
    libraries = tmp_path / "libraries"
    for name in ("torch", "diffusers", "transformers", "accelerate"):
        (libraries / name).mkdir(parents=True)
        (libraries / name / "__init__.py").write_text(f"raise AssertionError('{name} was imported')")
    (libraries / "torch" / "version.py").write_text("cuda = '13.0'\nhip = None\n")
    return {"PYTHONPATH": str(libraries), "PATH": path_with(tmp_path, H100), "preexec": int}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("gpu=l40s",),
            r"gpu=l40s needs 1 GPU(s) whose name matches '\bL40S\b', but here are: NVIDIA H100 80GB HBM3.",
        ),
        (("gpu=h100", "backend=flash_attn"), "backend=flash_attn needs flash_attn, which this Python environment does"),
        (("gpu=h100", "backend=video_sparse_attn"), "backend=video_sparse_attn does not exist in engine=diffusers."),
        (("gpu=cpu", "backend=flash_attn"), "backend=flash_attn needs a GPU, but gpu=cpu."),
        (
            ("gpu=l40s", f"engine.python={sys.executable}"),
            "gpu=l40s needs 1 GPU(s) whose name matches",
        ),
        (
            ("gpu=h100", "backend=flash_attn", f"engine.python={sys.executable}"),
            f"backend=flash_attn needs flash_attn, which {sys.executable} does not have.",
        ),
        (
            ("gpu=h100", "launcher=pool", "launcher.devices=[0,7]"),
            "launcher.devices names 7, and this machine has 0 (",
        ),
        (("gpu=l40s", "launcher=pool", "launcher.devices=[0]"), "gpu=l40s needs 1 GPU(s) whose name matches"),
    ],
)
def test_it_is_refused_before_torch_is_loaded(
    words: tuple[str, ...], message: str, cli: Cli, tmp_path: Path, told: dict[str, Any]
) -> None:
    refused = cli(*CHECK, *words, **told)
    assert refused.code == 2, refused.text
    assert message in refused.text.replace("\n", " ")
    assert "was imported" not in refused.text
    assert not (tmp_path / "outputs").exists() and not list(tmp_path.glob("multirun/**/job.json"))


def test_gpus_that_are_hidden_are_named_as_such(cli: Cli, told: dict[str, Any]) -> None:
    refused = cli(*CHECK, "gpu=h100", CUDA_VISIBLE_DEVICES="", **told)
    assert refused.code == 2
    assert "gpu=h100 needs 1 GPU(s), and its GPUs are hidden by CUDA_VISIBLE_DEVICES." in refused.text


def test_a_torch_for_cpus_is_refused(cli: Cli, tmp_path: Path, told: dict[str, Any]) -> None:
    (tmp_path / "libraries" / "torch" / "version.py").write_text("cuda: Optional[str] = None\nhip = None\n")
    refused = cli(*CHECK, "gpu=h100", **told)
    assert refused.code == 2 and "gpu=h100 needs a torch that is built for GPUs" in refused.text, refused.text


def test_engine_that_uses_one_gpu_needs_one_where_others_split(cli: Cli, tmp_path: Path, told: dict[str, Any]) -> None:
    # tier=default of Wan asks for two, for engines that split the work; there is one A40 beside the H100
    one = MIXED.rpartition("GPU 2")[0]
    planned = cli(*CHECK, "gpu=a40", "dry_run=true", **told | {"PATH": path_with(tmp_path, one)})
    assert planned.code == 0, planned.text


def test_jobs_that_a_cluster_will_run_are_not_held_to_the_gpus_of_this_machine(cli: Cli, told: dict[str, Any]) -> None:
    planned = cli(*TWO, "gpu=l40s", "launcher=slurm", "dry_run=true", **told)
    assert "whose name matches" not in planned.text, planned.text


def test_a_pool_says_what_runs_at_a_time(cli: Cli, told: dict[str, Any]) -> None:
    planned = cli(*TWO, "gpu=h100", "launcher=pool", "dry_run=true", **told)
    assert planned.code == 0, planned.text
    assert "Up to 1 at a time on " in planned.text and "1 GPU(s): 0 (NVIDIA H100 80GB HBM3)." in planned.text
    on_cpu = cli("-m", "op=generate", "engine=mock", "seed=1,2", "launcher=pool", "dry_run=true", **told)
    assert on_cpu.code == 0 and "Up to 2 at a time on " in on_cpu.text, on_cpu.text
