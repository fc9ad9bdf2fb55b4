# SPDX-License-Identifier: Apache-2.0
"""The adapter's mapping, against the recorded field names of FastVideo's typed API. FastVideo itself needs a GPU."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from fvhydra.config.launcher import LauncherConfig
from fvhydra.core.errors import InfrastructureError, UsageError
from fvhydra.core.progress import Silent
from fvhydra.engines import fastvideo
from fvhydra.engines.choice import check_engine
from fvhydra.engines.fastvideo import FastVideoEngine
from fvhydra.ops.parity_side import undivided
from fvhydra.testing import cases
from fvhydra.testing.cases import MODELS, Steps

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "fastvideo_signatures.json").read_text())
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def unknown_fields(value: dict[str, Any], kind: str) -> list[str]:
    fields = RECORDED[kind]
    found = [f"{kind}.{key}" for key in value if key not in fields]
    for key, item in value.items():
        if isinstance(item, dict) and fields.get(key):
            found += unknown_fields(item, fields[key])
    return found


def request(name: str, tmp_path: Path, **changes: Any) -> Any:
    values = {"tier": cases.tier("default"), "sampling": cases.sampling(name, "default"), "gpu": cases.gpu(2)}
    return cases.request(name, tmp_path, **values | changes)


@pytest.mark.parametrize("tier", ["default", "full_quality"])
@pytest.mark.parametrize("name", MODELS)
def test_every_field_we_fill_exists(name: str, tier: str, tmp_path: Path) -> None:
    sampling = cases.sampling(name, tier)
    image = cases.picture(tmp_path / "first.png")
    config = fastvideo.generator_config(request(name, tmp_path, sampling=sampling))
    wanted = fastvideo.generation_request(cases.case(name, image, sampling=sampling, negative_prompt="blurry"))
    assert unknown_fields(config, "GeneratorConfig") == []
    assert unknown_fields(wanted, "GenerationRequest") == []
    assert config["pipeline"].get("workload_type") in (None, *RECORDED["workload_type"])
    json.dumps([config, wanted])


def test_ltx2_is_asked_for_as_its_references_were(tmp_path: Path) -> None:
    assert fastvideo.generator_config(request("ltx2", tmp_path)) == {
        "model_path": "FastVideo/LTX2-Distilled-Diffusers",
        "engine": {"num_gpus": 2, "parallelism": {"sp_size": 2, "tp_size": 1}, "use_fsdp_inference": True},
        "pipeline": {"workload_type": "t2v", "vae_tiling": True, "experimental": {"output_type": "latent"}},
    }
    sampling = cases.sampling("ltx2", "default")
    assert fastvideo.generation_request(cases.case("ltx2", sampling=sampling, seed=10)) == {
        "prompt": cases.PROMPT,
        "sampling": {
            "seed": 10,
            "num_inference_steps": 4,
            "guidance_scale": 1.0,
            "height": 512,
            "width": 768,
            "num_frames": 45,
            "fps": 24,
        },
        "output": {"save_video": False, "return_frames": True},
    }


def test_wan_is_asked_for_as_its_references_were(tmp_path: Path) -> None:
    pipeline = fastvideo.generator_config(request("wan21_t2v_1_3b", tmp_path))["pipeline"]
    assert pipeline["experimental"] == {
        "flow_shift": 7.0,
        "text_encoder_precisions": ["fp32"],
        "vae_precision": "fp32",
    }


def test_an_image_makes_it_image_to_video(tmp_path: Path) -> None:
    image = cases.picture(tmp_path / "first.png")
    config = fastvideo.generator_config(request("wan22_ti2v_5b", tmp_path, with_image=True))
    assert config["pipeline"]["workload_type"] == "i2v"
    wanted = fastvideo.generation_request(cases.case("wan22_ti2v_5b", image=image))
    assert "inputs" not in wanted  # the case has none: a model of either kind
    wanted = fastvideo.generation_request(dataclasses.replace(cases.case("wan22_ti2v_5b"), image=image))
    assert wanted["inputs"] == {"image_path": image.as_posix()}


def test_parity_does_not_split_a_sequence_unless_asked() -> None:
    def env(**given: str) -> Any:
        engine = dataclasses.replace(cases.engine_config("fastvideo"), env=given)
        return undivided(dataclasses.make_dataclass("Job", ["engine"])(engine)).engine

    assert env().env == {"DISABLE_SP": "1"} and env().own_process  # before FastVideo is imported
    assert env(DISABLE_SP="0", CUDA_LAUNCH_BLOCKING="1").env == {"DISABLE_SP": "0", "CUDA_LAUNCH_BLOCKING": "1"}


@pytest.mark.parametrize(("sp_size", "fsdp"), [(1, False), (2, True)])
def test_fsdp_is_off_on_a_single_rank(sp_size: int, fsdp: bool, tmp_path: Path) -> None:
    sampling = cases.sampling("stable_audio_open", "default", sp_size=sp_size)
    config = fastvideo.generator_config(request("stable_audio_open", tmp_path, sampling=sampling))
    assert config["engine"]["use_fsdp_inference"] is fsdp


def test_the_models_own_words_come_last(tmp_path: Path) -> None:
    model = cases.model("ltx2", fastvideo={"engine": {"use_fsdp_inference": False, "offload": {"dit": False}}})
    config = fastvideo.generator_config(request("ltx2", tmp_path, model=model))
    assert config["engine"]["use_fsdp_inference"] is False
    assert config["engine"]["offload"] == {"dit": False}
    assert config["engine"]["num_gpus"] == 2


def test_what_has_no_place_is_listed() -> None:
    assert fastvideo.dropped(cases.case("stable_audio_open")) == {"audio_s": 1.0}
    assert fastvideo.dropped(cases.case("ltx2")) == {"call": cases.model("ltx2").call}
    assert fastvideo.dropped(cases.case("wan21_t2v_1_3b")) == {}


def result(**values: Any) -> SimpleNamespace:
    return SimpleNamespace(**dict.fromkeys(RECORDED["GenerationResult"]) | values)


def test_frames_and_sound_become_arrays() -> None:
    frames = [np.full((4, 6, 3), value, np.uint8) for value in (1, 2)]
    stages = {"prompt_encoding_stage": {"execution_time": 0.5}, "denoising_stage": {"execution_time": 2.0}}
    case = cases.case("wan21_t2v_1_3b")
    for sound in (torch.zeros(1, 2, 800), np.zeros((800, 2)), torch.zeros(2, 800)):
        made = result(
            frames=frames,
            audio=sound,
            audio_sample_rate=24000,
            logging_info=SimpleNamespace(stages=stages),
            peak_memory_mb=9000.5,
        )
        media = fastvideo.to_media(made, case)
        assert media.frames is not None and media.frames[:, 0, 0, 0].tolist() == [1, 2]
        assert media.audio is not None and media.audio.shape == (2, 800)
        assert (media.fps, media.audio_rate) == (24, 24000)
        assert media.seconds == {"text_encoder_time_s": 0.5, "dit_time_s": 2.0}
        assert media.memory_mb == {"cuda": 9000.5}


def test_latents_become_float32_and_keep_their_dtype_on_record() -> None:
    media = fastvideo.to_media(result(samples=torch.ones(1, 128, 6, 16, 24, dtype=torch.bfloat16)), cases.case("ltx2"))
    assert media.latent is not None and media.latent.dtype == np.float32
    assert media.latent_dtype == "torch.bfloat16"
    for samples in (None, torch.ones(1, 3, 8)):
        with pytest.raises(InfrastructureError, match="no latent of 5 dimensions"):
            fastvideo.to_media(result(samples=samples), cases.case("ltx2"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tier": cases.tier("smoke")}, "runs real weights only"),
        ({"gpu": cases.gpu(0)}, "needs a GPU, but gpu=cpu"),
        ({}, "cannot do without fastvideo, which this Python environment does not have"),
    ],
)
def test_what_it_cannot_run_is_refused_in_one_sentence(
    changes: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fastvideo", None)
    values = {"tier": cases.tier("default"), "gpu": cases.gpu(2), "backend": cases.backend()} | changes
    values["launcher"] = LauncherConfig(name="local")
    job: Any = SimpleNamespace(engine=cases.engine_config("fastvideo"), model=cases.model("ltx2"), **values)
    with pytest.raises(UsageError, match=message) as caught:
        check_engine(job, here=True)
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_fastvideo_that_does_not_import_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setitem(sys.modules, "fastvideo", types.ModuleType("fastvideo"))
    with pytest.raises(UsageError, match="fastvideo cannot be imported in this interpreter"):
        FastVideoEngine(cases.engine_config("fastvideo")).load(request("ltx2", tmp_path), Silent())


class Generator:
    """What the adapter uses of ``fastvideo.VideoGenerator``, noting what it was told."""

    told: list[Any] = []  # noqa: RUF012
    failure: Exception | None = None

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Generator:
        cls.told = [config, dict(os.environ)]
        return cls()

    def generate(self, wanted: dict[str, Any]) -> SimpleNamespace:
        if self.failure:
            raise self.failure
        Generator.told.append(wanted)
        return result(samples=torch.ones(1, 128, 6, 16, 24))

    def shutdown(self) -> None:
        Generator.told.append("shutdown")


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FastVideoEngine]:
    package = types.ModuleType("fastvideo")
    package.VideoGenerator = Generator  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fastvideo", package)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "NVIDIA B200")
    monkeypatch.setattr("importlib.metadata.version", lambda name: "1.0")
    monkeypatch.setattr(Generator, "failure", None)
    made = FastVideoEngine(cases.engine_config("fastvideo"))
    wanted = request("ltx2", tmp_path, model=cases.model("ltx2", revision=COMMIT), backend=cases.backend("flash_attn"))
    made.load(wanted, Silent())
    yield made
    made.close()


def test_a_case_goes_through(engine: FastVideoEngine) -> None:
    steps = Steps()
    media = engine.generate(cases.case("ltx2"), steps)
    config, environment, wanted = Generator.told
    assert config["revision"] == COMMIT
    assert environment["FASTVIDEO_ATTENTION_BACKEND"] == "FLASH_ATTN"
    assert wanted == media.arguments
    assert cases.output(media).shape == (1, 128, 6, 16, 24)
    assert steps.seen == [(0, 3), (3, 3)]
    assert engine.facts()["weights_revision"] == COMMIT
    assert "FLASH_ATTN" in engine.facts()["attention_backend"]
    engine.close()
    assert Generator.told[-1] == "shutdown"


def test_the_known_failure_of_fsdp_names_its_switch(engine: FastVideoEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Generator, "failure", RuntimeError("Inference tensors do not track version counter."))
    with pytest.raises(InfrastructureError) as caught:
        engine.generate(cases.case("ltx2"), Silent())
    assert "use_fsdp_inference=false" in caught.value.hint
    monkeypatch.setattr(Generator, "failure", RuntimeError("Traceback (most recent call last)\nCUDA error: oops."))
    with pytest.raises(InfrastructureError, match=r"^FastVideo failed: CUDA error: oops\.$"):
        engine.generate(cases.case("ltx2"), Silent())
