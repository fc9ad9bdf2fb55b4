# SPDX-License-Identifier: Apache-2.0
"""MUSIQ against what the code of its publishers computes, on weights of a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fvhydra.core.errors import MediaError
from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.models import musiq
from fvhydra.metrics.models.images import to_tensor
from fvhydra.metrics.models.tiny import build_network
from tests.metrics.golden import deterministic
from tests.similarity.conftest import textured

GOLDEN = deterministic.load("musiq_spaq")
FRONT, SMALL, FULL = GOLDEN["front_end"], GOLDEN["small"], GOLDEN["full"]


def test_its_weights_have_the_published_names() -> None:
    with torch.device("meta"):
        deterministic.assert_same_names(musiq.Musiq(), GOLDEN)


@pytest.mark.parametrize("case", FRONT)
def test_recorded_patches(case: str) -> None:
    expected = FRONT[case]
    found = musiq.cut(deterministic.given(expected["input"], torch.float32))
    assert len(found.present) == expected["sequence_length"]
    assert found.places.tolist() == expected["spatial_position"]
    assert found.scales.tolist() == expected["scale_position"]
    assert found.present.long().tolist() == expected["mask"]
    deterministic.assert_summary(found.pixels, expected["patches"], 1e-4)
    deterministic.assert_summary(found.pixels[0].mean(-1), expected["patch_mean"], 1e-5)


def assert_points(points: dict[str, torch.Tensor], part: Any) -> None:
    assert len(points) == len(part["checkpoints"]) - 1  # all but the pooling, which is no module here
    for name, value in points.items():
        deterministic.assert_summary(value, part["checkpoints"][name], part["checkpoint_tolerance_abs"][name], name)


def points_of(network: nn.Module, part: Any) -> dict[str, torch.Tensor]:
    return deterministic.hooked(network, [name for name in part["checkpoints"] if name != "root_pool"])


@torch.inference_mode()
def test_it_computes_what_its_publishers_code_computes() -> None:
    size = musiq.Size(width=48, mlp=96, heads=4, layers=3)
    network = deterministic.made(GOLDEN, musiq.Musiq(size), SMALL["state_dict"])
    points = points_of(network, SMALL)
    found = network(deterministic.given(FRONT["96x130"]["input"]))
    assert_points(points, SMALL)
    for name, expected in SMALL["outputs_float64"].items():
        deterministic.assert_summary(found, expected, SMALL["tolerance_float64"][name], name)


@pytest.mark.slow
@torch.inference_mode()
def test_it_computes_the_same_at_full_size() -> None:
    network = deterministic.made(GOLDEN, musiq.Musiq(), GOLDEN["state_dict"], torch.float32)
    points = points_of(network, FULL)
    for name, expected in FULL["outputs"].items():
        found = network(deterministic.given(FRONT[name]["input"], torch.float32))
        deterministic.assert_summary(found, expected, FULL["tolerance_abs"][name], name)
    assert_points(points, FULL)


@pytest.mark.parametrize(
    ("size", "shown"), [((512, 300), (512, 300)), ((300, 700), (219, 512)), ((513, 513), (512, 512))]
)
def test_large_frames_are_reduced(size: tuple[int, int], shown: tuple[int, int]) -> None:
    frames = textured(1, *size)
    expected = F.interpolate(to_tensor(frames), size=shown, mode="bilinear") if size != shown else to_tensor(frames)
    assert torch.equal(musiq.preprocess(frames), expected)


def test_batches_do_not_change_marks(assets: HubAssets) -> None:
    network = musiq.load_musiq(build_network("musiq_spaq", assets.cache_dir), "cpu")
    frames = textured(4, 50, 70)
    together, apart = (musiq.marks(network, frames, memory) for memory in (4096, 1))
    assert together == pytest.approx(apart, abs=1e-4)
    assert np.isfinite(together).all() and together.std() > 0


def test_published_files_load_and_others_do_not(tmp_path: Path) -> None:
    size = musiq.Size(32, 64, 96, 1, 2)
    state = {f"module.{name}": value for name, value in musiq.Musiq(size).state_dict().items()}
    torch.save(state, tmp_path / "musiq.pth")
    network = musiq.load_musiq(tmp_path / "musiq.pth", "cpu")
    assert torch.equal(network.head.bias, state["module.head.bias"])
    torch.save({**state, "module.head.bias": torch.zeros(4)}, tmp_path / "musiq.pth")
    with pytest.raises(MediaError, match=r"head\.bias, which is \[4\] and must be \[1\]"):
        musiq.load_musiq(tmp_path / "musiq.pth", "cpu")
