# SPDX-License-Identifier: Apache-2.0
"""AMT-S against what its authors' code computes, on weights of a recipe."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from fvhydra.core.errors import MediaError
from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.models import amt
from fvhydra.metrics.models.images import pad_both_sides
from fvhydra.metrics.models.tiny import build_network
from tests.metrics.golden import deterministic
from tests.similarity.conftest import textured

GOLDEN = deterministic.load("amt_s")
FULL = GOLDEN["full"]
_OUTPUTS = {"imgt_pred": "frame", "flow0_pred": "flow0", "flow1_pred": "flow1", "ft_pred": "features"}
"""Recorded name to ours."""


def test_its_weights_have_the_published_names() -> None:
    with torch.device("meta"):
        deterministic.assert_same_names(amt.Amt(), GOLDEN)


@torch.inference_mode()
def test_it_computes_what_its_authors_code_computes() -> None:
    network = deterministic.made(GOLDEN, amt.Amt(), GOLDEN["state_dict"])
    points = deterministic.hooked(network, list(FULL["checkpoints"]))
    pair, large = (
        (deterministic.given(FULL[name], torch.float32) / 255).double().split(1) for name in ("input", "input_scale0.5")
    )
    found = network(*pair)
    for name, value in points.items():
        deterministic.assert_summary(value, FULL["checkpoints"][name], FULL["checkpoint_tolerance_abs"][name], name)
    found["frame_scale0.5"] = network(*large, 0.5)["frame"]
    for name, expected in FULL["outputs_float64"].items():
        ours = re.sub("|".join(_OUTPUTS), lambda match: _OUTPUTS[match[0]], name)
        deterministic.assert_summary(found[ours], expected, FULL["tolerance_float64"][name], name)


def test_frames_are_padded_on_both_sides() -> None:
    case = GOLDEN["front_end"]["pad16"]
    padded = pad_both_sides(deterministic.given(case["input"]), case["divisor"])
    deterministic.assert_summary(padded, case["output"], 1e-6)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_batches_do_not_change_frames(assets: HubAssets, scale: float) -> None:
    network = amt.load_amt(build_network("amt_s", assets.cache_dir), "cpu")
    side = amt.least_side(scale)
    frames = textured(4, side, side + 20)
    together, apart = (amt.between(network, frames[:-1], frames[1:], memory, scale) for memory in (4096, 1))
    assert together[0].shape == frames[0].shape
    assert np.isfinite(together).all()
    assert np.stack(together) == pytest.approx(np.stack(apart), abs=1e-4)


@pytest.mark.parametrize("wrapped", [True, False])
def test_published_files_load(tmp_path: Path, wrapped: bool) -> None:
    state = deterministic.state(GOLDEN, GOLDEN["state_dict"])
    torch.save({"state_dict": state, "epoch": 300} if wrapped else state, tmp_path / "amt.pth")
    network = amt.load_amt(tmp_path / "amt.pth", "cpu")
    assert torch.equal(network.comb_block[2].bias, state["comb_block.2.bias"])


def test_other_weights_are_refused(tmp_path: Path) -> None:
    state = deterministic.state(GOLDEN, GOLDEN["state_dict"])
    torch.save({**state, "comb_block.2.bias": torch.zeros(4)}, tmp_path / "amt.pth")
    with pytest.raises(MediaError, match=r"comb_block\.2\.bias, which is \[4\] and must be \[3\]"):
        amt.load_amt(tmp_path / "amt.pth", "cpu")
