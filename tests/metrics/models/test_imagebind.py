# SPDX-License-Identifier: Apache-2.0
"""ImageBind against values recorded from its own code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from fvhydra.core.errors import MediaError
from fvhydra.metrics.models import imagebind
from tests.metrics.golden import deterministic

GOLDEN = deterministic.load("imagebind_huge")
SMALL, WIDE = GOLDEN["small"], GOLDEN["full_width"]
SIZE = imagebind.Size(width=64, depth=2, heads=4, audio_width=48, audio_depth=2, audio_heads=4, out=32)


def test_names_and_shapes_are_the_checkpoints() -> None:
    with torch.device("meta"):
        network = imagebind.ImageBind()
    deterministic.assert_same_names(network, GOLDEN)


def part(recorded: str) -> str:
    """The part of the network that a recorded name is of, as ``vision.block0.attn``."""
    tower, _, rest = recorded.partition(".")
    kind = rest.split(".")[0]
    if kind == "stem":
        return f"modality_preprocessors.{tower}.rgbt_stem"
    if kind == "pre_ln":
        return f"modality_trunks.{tower}.pre_transformer_layer"
    if kind == "head":
        return f"modality_heads.{tower}"
    return f"modality_trunks.{tower}.blocks." + rest.removeprefix("block")


def assert_parts(found: dict[str, torch.Tensor], case: Any) -> None:
    """Those of the transformers were recorded with the tokens first."""
    for name, expected in case["checkpoints"].items():
        value = found[part(name)]
        tokens_first = value.ndim == 3 and not name.endswith("stem")
        deterministic.assert_summary(
            value.transpose(0, 1).contiguous() if tokens_first else value,
            expected,
            case["checkpoint_tolerance_abs"][name],
            name,
        )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_recorded_embeddings(dtype: torch.dtype) -> None:
    network = deterministic.made(GOLDEN, imagebind.ImageBind(SIZE), SMALL["state_dict"], dtype)
    assert isinstance(network, imagebind.ImageBind)
    parts = deterministic.hooked(network, list(map(part, SMALL["checkpoints"])))
    vision, audio = (deterministic.given(SMALL["input"][name], dtype)[0] for name in ("vision", "audio"))
    with torch.inference_mode():
        seen = network.seen(vision)
        found = {
            "vision": seen.mean(0, keepdim=True),
            "audio": network.heard(audio).mean(0, keepdim=True),
            "vision_one_view_unit_norm": seen[:1],
        }
    exact = dtype == torch.float64
    for name, value in found.items():
        expected = SMALL["outputs_float64" if exact else "outputs"][name]
        deterministic.assert_summary(
            value, expected, SMALL["tolerance_float64" if exact else "tolerance_abs"][name], name
        )
    assert_parts(parts, SMALL)


@pytest.mark.slow
def test_recorded_embeddings_at_full_width() -> None:
    def shallow(name: str) -> bool:
        block = re.search(r"(vision|audio)\.blocks\.(\d+)\.", name)
        return block is None or int(block[2]) < {"vision": 2, "audio": 4}[block[1]]

    with torch.device("meta"):
        network = imagebind.ImageBind(imagebind.Size(depth=2, audio_depth=4))
    deterministic.made(GOLDEN, network, GOLDEN["state_dict"], torch.float32, shallow)
    parts = deterministic.hooked(network, list(map(part, WIDE["checkpoints"])))
    vision, audio = (deterministic.given(WIDE["input"][name], torch.float32) for name in ("vision", "audio"))
    with torch.inference_mode():
        found = {"vision": network.seen(vision[None]), "audio": network.heard(audio[0])}
    for name, value in found.items():
        deterministic.assert_summary(value, WIDE["outputs"][name], WIDE["tolerance_abs"][name], name)
    assert_parts(parts, WIDE)


@pytest.mark.parametrize("name", ["fbank_2s", "fbank_1.5s", "fbank_2.2s"])
def test_recorded_spectrograms(name: str) -> None:
    case = GOLDEN["front_end"][name]
    samples = deterministic.given(case["input"])
    deterministic.assert_summary(imagebind.filter_bank(samples), case["output"], 0.002)
    deterministic.assert_summary(imagebind.spectrograms(samples), case["normalised_output"], 0.0005)


@pytest.mark.parametrize("name", ["spatial_crop_landscape", "spatial_crop_portrait"])
def test_recorded_crops(name: str) -> None:
    case = GOLDEN["front_end"][name]
    frames = deterministic.given(case["input"], torch.float32)
    crops = imagebind.crops(frames[None])
    assert len(crops) == 3
    for crop, expected in zip(crops, case["crops"], strict=True):
        deterministic.assert_summary(crop, expected, 1e-7)


def test_of_the_checkpoint_two_towers_are_taken(tmp_path: Path) -> None:
    state = deterministic.state(GOLDEN, SMALL["state_dict"])
    other = {"modality_heads.text.proj.0.weight": torch.zeros(4), "modality_postprocessors.imu.1.log": torch.zeros(())}
    torch.save({**state, **other}, tmp_path / "imagebind.pth")
    network = imagebind.load_imagebind(tmp_path / "imagebind.pth", "cpu")
    assert set(network.state_dict()) == set(state)
    del state["modality_heads.audio.0.bias"]
    torch.save(state, tmp_path / "imagebind.pth")
    with pytest.raises(MediaError, match=r"modality_heads\.audio\.0\.bias, which is absent"):
        imagebind.load_imagebind(tmp_path / "imagebind.pth", "cpu")


def test_views_do_not_depend_on_their_batch() -> None:
    network = deterministic.made(GOLDEN, imagebind.ImageBind(SIZE), SMALL["state_dict"], torch.float32)
    assert isinstance(network, imagebind.ImageBind)
    vision = deterministic.given(SMALL["input"]["vision"], torch.float32)[0]
    with torch.inference_mode():
        alone = torch.cat([network.seen(view[None]) for view in vision])
        assert torch.allclose(network.seen(vision), alone, atol=1e-6)
        assert torch.allclose(alone.norm(dim=1), torch.ones(2)) and F.cosine_similarity(*alone[:, None]) < 0.999
