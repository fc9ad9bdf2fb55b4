# SPDX-License-Identifier: Apache-2.0
"""What depends on a GPU being asked for, not on one being there; and a GPU whose memory runs out at any point."""

from __future__ import annotations

import dataclasses
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fvhydra.core.errors import InfrastructureError, UsageError
from fvhydra.core.files import sha256_folder
from fvhydra.core.progress import Silent
from fvhydra.engines.diffusers import DiffusersEngine
from fvhydra.engines.pipeline import attention, device, loaded, times, weights
from fvhydra.engines.pipeline.loaded import LoadedPipeline
from fvhydra.engines.tiny import snapshot
from fvhydra.testing import cases
from tests.core.test_out_of_memory import TORCH


def load(name: str, cache_dir: Path, **changes: Any) -> DiffusersEngine:
    made = DiffusersEngine(cases.engine_config("diffusers"))
    made.load(cases.request(name, cache_dir, **changes), Silent())
    return made


def _touched(*_: Any, **__: Any) -> Any:
    raise AssertionError("the GPU was touched")


@pytest.fixture
def visible(monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA is there, and full: whoever speaks to it fails."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for name in ("synchronize", "empty_cache", "get_device_name", "reset_peak_memory_stats", "max_memory_allocated"):
        monkeypatch.setattr(torch.cuda, name, _touched)


def test_a_run_on_the_cpu_does_not_touch_the_gpu_that_is_there(cache_dir: Path, visible: None) -> None:
    made = load("wan21_t2v_1_3b", cache_dir)
    media = made.generate(cases.case("wan21_t2v_1_3b"), Silent())
    assert media.memory_mb == {} and media.seconds["dit_time_s"] > 0
    assert made.facts()["device"].startswith("cpu")
    facts = made.environment(gpu=False)
    assert not {"gpu", "cuda", "cudnn", "driver", "tf32"} & facts.keys()
    made.close()


@pytest.fixture
def on_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The path of a GPU, computed on the CPU: what is asked of CUDA is answered, and nothing moves."""
    monkeypatch.setattr(device, "verify", lambda gpu: "NVIDIA B200")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda index: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda index: 3 * 2**20)
    monkeypatch.setattr(times, "CudaClock", times.HostClock)
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, *args, **kwargs: self)


def test_on_a_gpu_the_peak_of_memory_is_told_and_threads_are_not(cache_dir: Path, on_gpu: None) -> None:
    made = load("wan21_t2v_1_3b", cache_dir, gpu=cases.gpu(1))
    assert "threads" not in made.facts()  # the bits are the same with any number
    assert made.generate(cases.case("wan21_t2v_1_3b"), Silent()).memory_mb == {"cuda:0": 3}


def _full(*_: Any, **__: Any) -> Any:
    raise torch.OutOfMemoryError(TORCH)


def _cusolver(*_: Any, **__: Any) -> Any:
    raise RuntimeError("cusolver error: CUSOLVER_STATUS_INTERNAL_ERROR, when calling `cusolverDnCreate(handle)`")


@pytest.mark.parametrize(
    ("place", "raises", "doing"),
    [
        ("load", _full, "loading: it needs 20.00 GiB more, 6.50 GiB is free of 79.11 GiB."),
        ("to", _full, "placing the model: it needs 20.00 GiB more, 6.50 GiB is free of 79.11 GiB."),
        ("to", _cusolver, "placing the model (CUSOLVER_STATUS_INTERNAL_ERROR)."),
        ("call", _full, "generating: it needs 20.00 GiB more, 6.50 GiB is free of 79.11 GiB."),
    ],
)
def test_memory_that_runs_out_is_one_sentence_wherever_it_does(
    place: str,
    raises: Callable[..., Any],
    doing: str,
    cache_dir: Path,
    on_gpu: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import diffusers

    if place == "load":
        monkeypatch.setattr(loaded, "_load_weights", raises)
    elif place == "to":
        monkeypatch.setattr(diffusers.DiffusionPipeline, "to", raises)
    with pytest.raises(InfrastructureError) as caught:
        made = load("wan21_t2v_1_3b", cache_dir, gpu=cases.gpu(1))
        assert made._loaded is not None
        monkeypatch.setattr(type(made._loaded.pipe), "__call__", raises)
        made.generate(cases.case("wan21_t2v_1_3b"), Silent())
    assert caught.value.message == f"The GPU ran out of memory while {doing}"
    assert caught.value.hint == (
        "Try engine.options.offload=model or sampling.vae_tiling=true or fewer sampling.num_frames= or a larger gpu=."
    )


def test_what_is_tried_already_is_not_suggested() -> None:
    request = cases.request("ltx2", Path("unused"), gpu=cases.gpu(1))
    request = dataclasses.replace(request, sampling=dataclasses.replace(request.sampling, vae_tiling=True))
    hints = loaded._what_needs_less(request, "enable_model_cpu_offload")
    assert hints[0] == "engine.options.offload=sequential" and "vae_tiling" not in str(hints)
    assert "offload" not in str(loaded._what_needs_less(request, "enable_sequential_cpu_offload"))


def test_weights_that_do_not_fit_are_no_weights_that_do_not_load(
    cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import diffusers

    monkeypatch.setattr(diffusers.LTX2Pipeline, "from_pretrained", _full)
    model = cases.model("ltx2", revision="0" * 40)
    with pytest.raises(InfrastructureError, match="The GPU ran out of memory while loading"):
        load("ltx2", cache_dir, model=model, tier=cases.tier("default"))


def test_all_cpus_load_and_the_asked_threads_run(cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    real = loaded._load_weights
    monkeypatch.setattr(loaded, "cpus", lambda: 3)
    monkeypatch.setattr(loaded, "_load_weights", lambda *given: (seen.append(torch.get_num_threads()), real(*given))[1])
    before = torch.get_num_threads()
    try:
        made = load("ltx2", cache_dir, threads=1)
        assert seen == [3] and torch.get_num_threads() == made.facts()["threads"] == 1
    finally:
        torch.set_num_threads(before)


def test_a_backend_that_is_not_usable_is_refused_before_weights_are_loaded(
    cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded, "_load_weights", lambda *_: pytest.fail("weights were loaded"))
    for word in ("flash_attn", "sliding_tile_attn"):
        with pytest.raises(UsageError, match=f"backend={word}"):
            load("ltx2", cache_dir, backend=cases.backend(word))
    assert "native" in attention.available()


def _local(tmp_path: Path, cache_dir: Path) -> Path:
    folder = tmp_path / "mine"
    shutil.copytree(snapshot.build_snapshot("ltx2", cache_dir), folder)
    return folder


@pytest.mark.parametrize("revision", [None, "0123456789abcdef0123456789abcdef01234567"])
def test_weights_of_a_local_folder_are_known_by_their_content(
    revision: str | None, tmp_path: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _local(tmp_path, cache_dir)
    model = cases.model("ltx2", weights=str(folder), revision=revision, dtype="float32", component_dtypes={})
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    made = load("ltx2", cache_dir, model=model, tier=cases.tier("default"))
    assert made.facts()["weights_revision"] == f"sha256:{sha256_folder(folder)}"
    (folder / ".cache").mkdir()
    (folder / ".cache" / "download.json").write_text("{}")  # what downloaders leave is none of it
    assert weights.resolve_revision(model) == made.facts()["weights_revision"]
    (folder / "model_index.json").write_bytes((folder / "model_index.json").read_bytes() + b"\n")
    assert weights.resolve_revision(model) != made.facts()["weights_revision"]


def test_loading_warns_of_nothing(tmp_path: Path, cache_dir: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = cases.model("ltx2", weights=str(_local(tmp_path, cache_dir)), component_dtypes={"vae": "float32"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = load("ltx2", cache_dir, model=model, tier=cases.tier("default"))
    assert made._loaded is not None and made._loaded.pipe.vae.dtype == torch.float32
    said = capfd.readouterr()
    assert "deprecated" not in said.out + said.err


@pytest.mark.gpu
def test_on_a_real_gpu_peak_memory_is_what_its_allocator_counted(cache_dir: Path) -> None:
    name = torch.cuda.get_device_name(0)
    gpu = dataclasses.replace(cases.gpu(1), name="here", pattern=name)
    made = LoadedPipeline(cases.request("wan21_t2v_1_3b", cache_dir, gpu=gpu), None, Silent())
    first = made.generate(cases.case("wan21_t2v_1_3b"), Silent())
    assert first.memory_mb["cuda:0"] > 1
    assert made.generate(cases.case("wan21_t2v_1_3b"), Silent()).memory_mb == pytest.approx(first.memory_mb)
