# SPDX-License-Identifier: Apache-2.0
"""RAFT against what its authors' code computes, on weights of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fvhydra.core.errors import MediaError
from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.models import raft
from fvhydra.metrics.models.images import pad_both_sides
from fvhydra.metrics.models.tiny import build_network
from tests.metrics.golden import deterministic
from tests.similarity.conftest import textured

GOLDEN = deterministic.load("raft_things")
FULL = GOLDEN["full"]


def test_its_weights_have_the_published_names() -> None:
    with torch.device("meta"):
        deterministic.assert_same_names(raft.Raft(), GOLDEN)


@pytest.fixture
def network() -> nn.Module:
    return deterministic.made(GOLDEN, raft.Raft(), GOLDEN["state_dict"])


def assert_points(found: Mapping[str, torch.Tensor]) -> None:
    for name, value in found.items():
        deterministic.assert_summary(value, FULL["checkpoints"][name], FULL["checkpoint_tolerance_abs"][name], name)


@torch.inference_mode()
def test_it_computes_what_its_authors_code_computes(network: nn.Module) -> None:
    first, second = deterministic.given(FULL["input"]).split(1)
    points = deterministic.hooked(network, [name for name in FULL["checkpoints"] if not name.startswith("corr_")])
    found = {f"flow_up_iter{count}": network(first, second, count)[1] for count in (1, 2, 3)}
    assert_points(points)
    found["flow_low"], found["flow_up"] = network(first, second, 20)
    for name, value in found.items():
        deterministic.assert_summary(value, FULL["outputs_float64"][name], FULL["tolerance_float64"][name], name)


@torch.inference_mode()
def test_the_correlation_is_looked_up_as_recorded(network: Any) -> None:
    images = 2 * (deterministic.given(FULL["input"]) / 255) - 1
    pyramid = raft.correlate(*network.fnet(images).split(1))
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(20.0), indexing="ij")
    grid = torch.stack([x, y])[None].double()
    assert_points(
        {
            "corr_level0": pyramid[0],
            "corr_level3": pyramid[3],
            "corr_lookup_at_grid": raft.look_up(pyramid, grid),
            "corr_lookup_at_grid_plus_x0.3_y-1.7": raft.look_up(
                pyramid, grid + torch.tensor([0.3, -1.7])[:, None, None]
            ),
        }
    )


def test_frames_are_padded_on_both_sides() -> None:
    case = GOLDEN["front_end"]["pad8"]
    padded = pad_both_sides(deterministic.given(case["input"]), 8)
    deterministic.assert_summary(padded, case["output"], 1e-4)


def test_neither_size_nor_batch_changes_the_flow_of_a_pair(assets: HubAssets) -> None:
    loaded = raft.load_raft(build_network("raft", assets.cache_dir), "cpu")
    frames = textured(5, 57, 90)
    together, apart = (list(raft.flows(loaded, frames[:-1], frames[1:], memory)) for memory in (4096, 1))
    assert together[0].shape == (64, 96, 2)
    assert np.isfinite(together).all()  # the coarsest level is one pixel high, by which the authors' code divides by 0
    assert np.stack(together) == pytest.approx(np.stack(apart), abs=1e-4)


def test_other_weights_are_refused(assets: HubAssets, tmp_path: Path) -> None:
    state = torch.load(build_network("raft", assets.cache_dir), weights_only=True)
    for change, message in (
        ({"module.fnet.conv3.bias": torch.zeros(3)}, r"fnet\.conv3\.bias, which is \[3\] and must be absent"),
        ({"module.fnet.conv2.bias": torch.zeros(3)}, r"fnet\.conv2\.bias, which is \[3\] and must be \[32\]"),
    ):
        torch.save(state | change, tmp_path / "raft.pth")
        with pytest.raises(MediaError, match=message):
            raft.load_raft(tmp_path / "raft.pth", "cpu")
    state.pop("module.fnet.conv1.bias")
    torch.save(state, tmp_path / "raft.pth")
    with pytest.raises(MediaError, match=r"'fnet\.conv1\.bias' is lacking"):
        raft.load_raft(tmp_path / "raft.pth", "cpu")
