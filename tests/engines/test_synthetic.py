# SPDX-License-Identifier: Apache-2.0
"""Full-size architectures: counted on the meta device, and the same code run at a size that a CPU can do."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch

from fvhydra.config.model import ModelConfig
from fvhydra.core.architecture import architecture_of
from fvhydra.core.errors import UsageError
from fvhydra.core.progress import Silent
from fvhydra.engines.choice import open_engine
from fvhydra.engines.pipeline import synthetic
from fvhydra.testing import cases

MODELS = {
    "cogvideox15_5b_i2v": 10549489443,
    "hunyuan_i2v": 21545824531,
    "ltx2": 33826295381,
    "stable_audio_open": 1323076738,
    "wan21_t2v_1_3b": 7226799667,
    "wan22_ti2v_5b": 11385386716,
}
"""Parameters of the published models, counted independently."""
EXACT = {"wan21_t2v_1_3b": 1.003, "wan22_ti2v_5b": 1.003}
"""At most so much more than all in one dtype: a few layers stay in float32."""


def networks(pipe: Any) -> dict[str, torch.nn.Module]:
    return {name: part for name, part in pipe.components.items() if isinstance(part, torch.nn.Module)}


@pytest.mark.parametrize("name", MODELS)
def test_architectures_have_the_published_number_of_parameters(name: str) -> None:
    model = cases.model(name)
    architecture = architecture_of(model)
    pipe = synthetic.build(architecture, model, getattr(diffusers, model.pipeline), "meta")
    parts = networks(pipe)
    counted = {part: sum(value.numel() for value in network.parameters()) for part, network in parts.items()}
    assert counted == {part: one.parameters for part, one in architecture.components.items() if one.parameters}
    assert sum(counted.values()) == architecture.parameters == MODELS[name]
    estimated = architecture.weight_bytes(model)
    for part, network in parts.items():
        real = sum(value.nbytes for value in network.parameters())
        assert estimated[part] <= real <= estimated[part] * EXACT.get(name, 1), part
        wanted = getattr(torch, model.component_dtypes.get(part, model.dtype))
        assert {value.dtype for value in network.parameters()} <= {wanted, torch.float32}
        assert all(value.is_meta for value in network.parameters())
    if model.image_pipeline:
        synthetic.build(architecture, model, getattr(diffusers, model.image_pipeline), "meta")


def test_layers_that_real_weights_keep_in_float32_are_kept_so() -> None:
    model = cases.model("wan21_t2v_1_3b")
    pipe = synthetic.build(architecture_of(model), model, diffusers.WanPipeline, "meta")
    kept = {name for name, value in pipe.transformer.named_parameters() if value.dtype is torch.float32}
    assert "scale_shift_table" in kept and "condition_embedder.time_embedder.linear_1.weight" in kept
    assert "blocks.0.attn1.to_q.weight" not in kept


@pytest.fixture
def small(tmp_path: Path) -> ModelConfig:
    """Wan, with an architecture of a size that a CPU can do."""
    data = json.loads((cases_folder() / "wan21_t2v_1_3b.json").read_text())
    sizes = {
        "transformer": {
            "num_attention_heads": 2,
            "attention_head_dim": 12,
            "text_dim": 32,
            "ffn_dim": 64,
            "num_layers": 2,
        },
        "vae": {"base_dim": 4, "dim_mult": [1, 2, 2, 2], "num_res_blocks": 1},
        "text_encoder": {"vocab_size": 2000, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4},
    }
    for part, changes in sizes.items():
        data["components"][part]["config"] |= changes
    (tmp_path / "small.json").write_text(json.dumps(data))
    return cases.model("wan21_t2v_1_3b", architecture=str(tmp_path / "small.json"))


def cases_folder() -> Path:
    from fvhydra.config.schema import conf_dir

    return conf_dir() / "architectures"


@pytest.mark.parametrize("isolate", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_random_weights_generate_the_same_in_any_process(small: ModelConfig, tmp_path: Path, isolate: bool) -> None:
    sampling = cases.sampling("wan21_t2v_1_3b", "smoke")
    case = cases.case("wan21_t2v_1_3b", model=small, sampling=sampling, tier=cases.tier("synthetic"))
    request = cases.request(
        "wan21_t2v_1_3b", tmp_path, model=small, tier=case.tier, architecture=architecture_of(small)
    )
    made = []
    for _ in range(2):
        engine = open_engine(dataclasses.replace(cases.engine_config("diffusers"), isolate=isolate))
        engine.load(request, Silent())
        made.append(engine.generate(case, Silent()))
        assert engine.facts()["weights_revision"] == "synthetic"
        engine.close()
    first, again = (media.frames for media in made)
    assert first is not None and again is not None and (first == again).all()
    assert first.shape == (5, 64, 64, 3) and first.std() > 1, "no NaN, no grey"
    assert not list(tmp_path.rglob("*.safetensors")), "saved nowhere"


def test_the_recipe_says_that_weights_are_random() -> None:
    recipe = cases.case("ltx2", tier=cases.tier("synthetic")).recipe
    assert recipe["weights"] == {"repo": "synthetic:ltx2", "revision": "1"}
    assert (
        recipe["dtype"] == "bfloat16"
        and recipe["call"] == cases.case("ltx2", tier=cases.tier("default")).recipe["call"]
    )


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"class_name": "DiffusionPipeline"}, "DiffusionPipeline of diffusers, which is no model"),
        ({"module": "os", "class_name": "system"}, "system of os, which is no model"),
        ({"class_name": "NoSuchThing"}, "NoSuchThing of diffusers, which is no model"),
        ({"config": {"wheels": 4}}, "transformer is no WanTransformer3DModel: .*wheels"),
        ({"parameters": "many"}, "is not an architecture"),
    ],
)
def test_an_architecture_that_is_none_is_refused(small: ModelConfig, changes: dict[str, Any], wrong: str) -> None:
    path = Path(str(small.architecture))
    data = json.loads(path.read_text())
    data["components"]["transformer"] |= changes
    path.write_text(json.dumps(data))
    with pytest.raises(UsageError, match=wrong):
        synthetic.build(architecture_of(small), small, diffusers.WanPipeline, "meta")


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"model.architecture=wan9 is none of those in .*: cogvideox15_5b_i2v, hunyuan"
    ):
        architecture_of(cases.model("ltx2", architecture="wan9"))
    with pytest.raises(UsageError, match="has no published architecture here"):
        architecture_of(cases.model("ltx2", architecture=None))
    with pytest.raises(UsageError, match=r"model\.family=new has no tokenizers"):
        synthetic.build(
            architecture_of(cases.model("ltx2")), cases.model("ltx2", family="new"), diffusers.LTX2Pipeline, "meta"
        )


@pytest.mark.gpu
def test_weights_are_made_on_the_device_itself(small: ModelConfig) -> None:
    pipe = synthetic.build(architecture_of(small), small, diffusers.WanPipeline, "cuda")
    for name, network in networks(pipe).items():
        assert {value.device.type for value in network.parameters()} == {"cuda"}, name
        assert all(bool(value.isfinite().all()) for value in network.parameters()), name
