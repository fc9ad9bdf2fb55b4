# SPDX-License-Identifier: Apache-2.0
"""Where the networks of an evaluation run is decided, refused and recorded without a GPU at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from fvhydra.config.problems import ConfigError
from fvhydra.config.root import Config
from fvhydra.core.errors import UsageError
from fvhydra.evaluation import device
from fvhydra.evaluation.device import check_device, device_of, float32_as
from fvhydra.metrics.common.lpips import Lpips
from fvhydra.ops.eval import Eval, assets_of
from tests.conftest import Cli
from tests.core.test_out_of_memory import TORCH
from tests.evaluation.clips import write_clip
from tests.gpus import H100, MIXED, path_with
from tests.launch.jobs import composed

LPIPS = ("op=eval", "metrics=lpips", "metrics.tiny=true")


def config(*words: str) -> Config:
    return composed(*LPIPS, *words)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One with GPUs, and a torch that can use them."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", path_with(tmp_path, MIXED))
    monkeypatch.setattr(device, "torch_uses_gpus", lambda: True)


def test_auto_is_the_gpu_where_there_is_one(machine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_of(config()) == assets_of(config()).device == "cuda"
    assert device_of(config("metrics.device=cpu")) == "cpu"
    assert device_of(composed("op=eval", "metrics=pixel")) == "cpu"  # no network: nothing for a GPU to do
    assert [Eval(item.op).gpus(item) for item in (config(), composed("op=eval", "metrics=pixel"))] == [1, 0]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert device_of(config()) == "cpu"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(device, "torch_uses_gpus", lambda: False)
    assert device_of(config()) == "cpu"


def test_elsewhere_auto_is_what_gpu_asks_for(machine: None) -> None:
    assert device_of(config("launcher=slurm")) == "cpu"
    assert device_of(config("launcher=slurm", "gpu=l40s")) == "cuda"
    asked = config("launcher=slurm", "metrics.device=cuda")
    assert device_of(asked) == "cuda" and Eval(asked.op).gpus(asked) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("metrics.device=cuda:3",), "metrics.device=cuda:3: this machine has cuda:0 (NVIDIA H100 80GB HBM3), cuda:1"),
        (("metrics.device=cuda:1", "launcher=pool"), "launcher=pool gives each job GPUs of its own"),
    ],
)
def test_a_device_that_is_not_there_is_refused(words: tuple[str, ...], message: str, machine: None) -> None:
    with pytest.raises(UsageError) as caught:
        check_device(config(*words))
    assert message in caught.value.message
    for fine in ("cuda", "cuda:2", "cpu", "auto"):
        check_device(config(f"metrics.device={fine}"))


def test_what_is_no_device_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match="must be auto, cpu, cuda, or cuda:<index>"):
        config("metrics.device=gpu")


def test_float32_is_whole_unless_asked_otherwise() -> None:
    def now() -> tuple[bool, bool]:
        return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32

    before = now()
    for tf32 in (False, True):
        with float32_as("cuda", tf32):
            assert now() == (tf32, tf32)
        with float32_as("cpu", tf32):
            assert now() == before
    assert now() == before


@pytest.fixture
def clips(tmp_path: Path) -> tuple[str, ...]:
    for folder in ("gen", "ref"):
        (tmp_path / folder).mkdir()
        for name in ("a", "b"):
            write_clip(tmp_path / folder, f"{name}.mp4", size=(64, 64))
    return (*LPIPS, "videos=gen/*.mp4", "references=ref/")


def test_without_a_gpu_it_is_refused_before_torch_is_loaded(cli: Cli, tmp_path: Path, clips: tuple[str, ...]) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise AssertionError('torch was imported')")
    (tmp_path / "torch" / "version.py").write_text("cuda = '13.0'\n")
    told: dict[str, Any] = {
        "PYTHONPATH": str(tmp_path),
        "PATH": path_with(tmp_path, H100),
        "preexec": int,
    }  # on its own
    refused = cli(*clips, "metrics.device=cuda:1", **told)
    assert refused.code == 2 and "this machine has cuda:0 (NVIDIA H100 80GB HBM3)" in refused.text, refused.text
    assert not (tmp_path / "outputs").exists()
    refused = cli(*clips, "metrics.device=cuda", CUDA_VISIBLE_DEVICES="", **told)
    assert refused.code == 2 and "this machine has no GPU" in refused.text, refused.text


def test_a_gpu_that_is_full_ends_the_evaluation_and_keeps_what_was_scored(
    command: Cli, tmp_path: Path, clips: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    begin: Any = Lpips.begin

    def full(self: Any, sample: Any, clip: Any) -> Any:
        if sample.id.startswith("b"):
            raise torch.OutOfMemoryError(TORCH)
        return begin(self, sample, clip)

    monkeypatch.setattr(Lpips, "begin", full)
    ended = command(*clips, "op.workers=1")
    assert ended.code == 4, ended.text
    assert "The GPU ran out of memory while computing common.lpips: it needs 20.00 GiB more" in ended.text
    assert "metrics.device=cpu" in ended.text
    monkeypatch.setattr(Lpips, "begin", begin)
    again = command(*clips, "op.workers=1", f"op.resume_from={next(tmp_path.glob('outputs/eval/*Z-*'))}")
    assert again.code == 0, again.text


def test_the_device_of_each_network_is_recorded(command: Cli, tmp_path: Path, clips: tuple[str, ...]) -> None:
    assert command(*clips, "metrics.device=cpu").code == 0
    [summary] = json.loads((tmp_path / "outputs" / "latest" / "summary.json").read_text())
    assert {asset["device"] for asset in summary["assets"].values()} == {"cpu"}


@pytest.mark.gpu
def test_on_a_gpu_scores_are_the_cpus_and_what_computed_them_is_recorded(
    cli: Cli, tmp_path: Path, clips: tuple[str, ...]
) -> None:
    values = {}
    for name in ("cpu", "cuda"):
        assert cli(*clips, f"metrics.device={name}").code == 0
        [summary] = json.loads((tmp_path / "outputs" / "latest" / "summary.json").read_text())
        values[name] = summary["value"]
    assert values["cuda"] == pytest.approx(values["cpu"], abs=1e-7)
    facts = json.loads((tmp_path / "outputs" / "latest" / "manifest.json").read_text())["environment"]
    assert facts["tf32"] == "off" and {"gpu", "driver", "cudnn"} <= facts.keys()
