# SPDX-License-Identifier: Apache-2.0
"""What a loaded pipeline is held to: damage to its weights and to their index is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from safetensors.torch import load_file, save_file

from fvhydra.core.checks import FAIL, PASS
from fvhydra.core.errors import InfrastructureError
from fvhydra.core.progress import Silent
from fvhydra.engines.diffusers import DiffusersEngine
from fvhydra.engines.pipeline.inspection import keeps_apart
from fvhydra.engines.tiny import snapshot
from fvhydra.testing import cases

MODEL, FAMILY = "wan21_t2v_1_3b", "wan21_t2v"
TENSORS = "diffusion_pytorch_model.safetensors"
Damage = Callable[[Path], None]


def inspected(cache_dir: Path, model: str = MODEL) -> dict[str, tuple[str, str]]:
    engine = DiffusersEngine(cases.engine_config("diffusers"))
    engine.load(cases.request(model, cache_dir), Silent())
    image = cases.picture(cache_dir / "first.png") if model.endswith("i2v") else None
    return {each.name: (each.outcome, each.given) for each in engine.inspect(cases.case(model, image))}


def weights(file: str, change: Callable[[dict[str, torch.Tensor]], object]) -> Damage:
    def damage(folder: Path) -> None:
        tensors = load_file(folder / file)
        change(tensors)
        save_file(tensors, folder / file, metadata={"format": "pt"})

    return damage


def indexed(key: str, value: object) -> Damage:
    def damage(folder: Path) -> None:
        index = json.loads((folder / "model_index.json").read_text())
        (folder / "model_index.json").write_text(json.dumps(index | {key: value}))

    return damage


@pytest.mark.parametrize(
    "model",
    [
        MODEL,
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("ltx2", "stable_audio_open", "hunyuan_i2v")),
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("wan22_ti2v_5b", "cogvideox15_5b_i2v")),
    ],
)
def test_a_whole_model_passes(model: str, cache_dir: Path) -> None:
    found = inspected(cache_dir, model)
    assert {outcome for outcome, _ in found.values()} == {PASS}, found
    assert {"pipeline class", "required modules", "optional modules", "weights of transformer"} <= found.keys()


@pytest.mark.parametrize(
    ("damage", "check", "says"),
    [
        (
            weights(f"transformer/{TENSORS}", lambda tensors: tensors.update(more=torch.zeros(2))),
            "weights of transformer",
            "missing none; unexpected 1: more; other shapes none",
        ),
        (
            weights("text_encoder/model.safetensors", lambda tensors: tensors.pop("encoder.final_layer_norm.weight")),
            "weights of text_encoder",
            "missing 1: encoder.final_layer_norm.weight",
        ),
        (indexed("_class_name", "WanPipelin"), "pipeline class", "names WanPipelin. Did you mean 'WanPipeline'?"),
        (indexed("upsampler", ["diffusers", "AutoencoderKLWan"]), "required modules", "unknown 1: upsampler"),
    ],
    ids=["weight too many", "weight of transformers lost", "class", "module"],
)
def test_damage_is_named(damage: Damage, check: str, says: str, tmp_path: Path) -> None:
    damage(snapshot.build_snapshot(FAMILY, tmp_path))
    outcome, given = inspected(tmp_path)[check]
    assert outcome == FAIL and says in given


def test_weights_that_are_not_there_are_named_when_loading(tmp_path: Path) -> None:
    lost = "blocks.0.attn1.to_q.weight"
    weights(f"transformer/{TENSORS}", lambda tensors: tensors.pop(lost))(snapshot.build_snapshot(FAMILY, tmp_path))
    with pytest.raises(InfrastructureError, match=r"tiny weights: no weights of transformer .*: 1: blocks\.0\.attn1"):
        inspected(tmp_path)


class Leaky:
    """A pipeline whose parts belong to its class."""

    components: ClassVar[dict[str, object]] = {"vae": 1}
    config: ClassVar[dict[str, object]] = {}
    _optional_components: ClassVar[list[str]] = []

    def __init__(self, **parts: object) -> None:
        self.components.update(parts)

    @staticmethod
    def _get_signature_keys(kind: type) -> tuple[set[str], set[str]]:
        return {"vae"}, set()

    def register_modules(self, **parts: object) -> None:
        self.components.update(parts)


def test_a_pipeline_that_changes_another_is_named() -> None:
    found = keeps_apart(Leaky())
    assert found.outcome == FAIL and found.given.startswith("changed in the first 1: modules")
