# SPDX-License-Identifier: Apache-2.0
"""The YAML of models, sampling, backends, tiers and engines: facts that other tools rely on, and names that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from fvhydra.config.backend import BackendConfig
from fvhydra.config.engine import EngineConfig
from fvhydra.config.model import ModelConfig
from fvhydra.config.schema import conf_dir
from fvhydra.config.tier import TierConfig
from fvhydra.core.loading import load_class
from fvhydra.engines.base import Engine
from fvhydra.engines.tiny.snapshot import FAMILIES
from fvhydra.testing import cases
from fvhydra.testing.cases import MODELS

SMALLEST_FOR_MS_SSIM = 161


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


@pytest.mark.parametrize(
    ("group", "schema"),
    [("model", ModelConfig), ("backend", BackendConfig), ("tier", TierConfig), ("engine", EngineConfig)],
)
def test_every_choice_is_valid_and_named_after_its_file(group: str, schema: type) -> None:
    assert choices(group)
    for name in choices(group):
        assert cases.read(schema, group, f"{name}.yaml").name == name


@pytest.mark.parametrize("name", ["mock", "diffusers", "fastvideo"])
def test_every_engine_can_be_imported(name: str) -> None:
    load_class(cases.engine_config(name)._target_, "engine._target_", Engine)


@pytest.mark.parametrize("name", MODELS)
def test_a_models_family_and_pipelines_exist(name: str) -> None:
    import diffusers

    model = cases.model(name)
    assert model.family in FAMILIES
    assert model.pipeline in dir(diffusers)
    assert model.image_pipeline is None or model.image_pipeline in dir(diffusers)
    assert model.revision is None or re.fullmatch("[0-9a-f]{40}", model.revision)


@pytest.mark.parametrize("name", MODELS)
def test_smoke_clips_are_large_enough_for_the_gate(name: str) -> None:
    sampling: Any = cases.read(type(cases.sampling(name)), "sampling", name, "smoke.yaml")
    if cases.model(name).artifact == "pixel":
        assert min(sampling.height, sampling.width) >= SMALLEST_FOR_MS_SSIM


def test_the_default_tier_is_what_the_published_references_were_made_with() -> None:
    ltx2, wan = cases.sampling("ltx2", "default"), cases.sampling("wan21_t2v_1_3b", "default")
    assert (ltx2.height, ltx2.width, ltx2.num_frames, ltx2.num_inference_steps) == (512, 768, 45, 4)
    assert (ltx2.guidance_scale, ltx2.seed, ltx2.fps, ltx2.vae_tiling) == (1.0, 10, 24, True)
    assert (ltx2.num_gpus, ltx2.sp_size) == (2, 2)
    assert (wan.height, wan.width, wan.num_frames, wan.num_inference_steps) == (480, 832, 45, 4)
    assert (wan.guidance_scale, wan.seed, wan.fps, wan.flow_shift) == (3.0, 1024, 24, 7.0)
    assert (wan.num_gpus, wan.sp_size) == (2, 2)


def test_models_are_filed_where_the_ecosystem_looks() -> None:
    assert {cases.model(name).model_id for name in MODELS} == {
        "LTX2-Distilled-Diffusers",
        "Wan2.1-T2V-1.3B-Diffusers",
        "Wan2.2-TI2V-5B-Diffusers",
        "HunyuanVideo-I2V",
        "CogVideoX1.5-5B-I2V",
        "stable-audio-open-1.0",
    }
    ltx2, wan = cases.model("ltx2"), cases.model("wan21_t2v_1_3b")
    assert (ltx2.latent_gate.slice_cosine, ltx2.latent_gate.full_cosine) == (5e-3, 1e-2)
    assert wan.pixel_gate.mean_ms_ssim == 0.93
    assert wan.component_dtypes["text_encoder"] == "float32"


@pytest.mark.parametrize("name", choices("backend"))
def test_backend_folders_are_the_ecosystems(name: str) -> None:
    assert cases.backend(name).folder == name.upper()


def test_every_model_has_every_tier() -> None:
    for name in MODELS:
        found = {path.stem for path in Path(conf_dir() / "sampling" / name).glob("*.yaml")}
        assert found == set(cases.TIERS) == set(choices("tier"))
