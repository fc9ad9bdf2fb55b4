# SPDX-License-Identifier: Apache-2.0
"""The smoothness of motion, with what stood for AMT when the values were recorded: the mean of both frames."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.base import Metric, Shared
from fvhydra.metrics.models import amt
from fvhydra.metrics.vbench.motion_smoothness import MotionSmoothness, MotionSmoothnessParams
from tests.metrics.golden import load, recipes
from tests.metrics.running import score, skips
from tests.similarity.conftest import textured

GOLDEN = load("motion_dynamic")


class Mean(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.placed = nn.Parameter(torch.zeros(1))
        self.shown: list[list[int]] = []

    def forward(self, first: torch.Tensor, second: torch.Tensor, scale: float) -> dict[str, torch.Tensor]:
        self.shown.append(list(first.shape[1:]))
        return {"frame": (first + second) / 2}


def made(assets: HubAssets, network: nn.Module | None = None, **params: Any) -> Metric:
    if network is not None:
        networks = Shared()
        networks("amt_s", lambda: network)
        assets = HubAssets("cpu", assets.cache_dir, tiny=True, networks=networks)
    metric = MotionSmoothness(MotionSmoothnessParams(**params), assets)
    metric.setup()
    return metric


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
@pytest.mark.parametrize("case", GOLDEN["motion_smoothness"], ids=lambda case: case["name"])
def test_recorded(case: dict[str, Any], chunk: int, assets: HubAssets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amt, "least_side", lambda scale: 1)  # what stands for the network takes pictures of any size
    network = Mean()
    clip = recipes.clip(recipes.build(case["video"]))
    found = score(made(assets, network, parity="peer"), video=clip, chunk=chunk)
    assert found.value == pytest.approx(case["score"], abs=GOLDEN["tolerance"])
    assert {tuple(shape) for shape in network.shown} == {tuple(call[0][1:]) for call in case["calls"]}
    if case["calls"]:
        assert found.series["per_pair_mae"].mean() == pytest.approx(case["details"]["vfi_score"], abs=1e-3)


@pytest.mark.parametrize("frames", [1, 2])
def test_what_is_too_short_has_no_value(assets: HubAssets, frames: int) -> None:
    with skips("too_short", "it takes three"):
        score(made(assets), video=textured(frames, 64, 96))


@pytest.mark.parametrize(("reduction", "least"), [(1, 49), (2, 97)])
def test_small_frames_have_no_value(assets: HubAssets, reduction: int, least: int) -> None:
    with skips("shape", f"{least}x{least}, not {least - 1}x300"):
        score(made(assets, reduction=reduction), video=textured(3, least - 1, 300))
    assert score(made(assets, reduction=reduction), video=textured(3, least, least)).frames == 2


def test_frames_that_are_not_finite_are_no_value(assets: HubAssets) -> None:
    class Broken(Mean):
        def forward(self, first: torch.Tensor, second: torch.Tensor, scale: float) -> dict[str, torch.Tensor]:
            return {"frame": first * float("nan")}

    with skips("nonfinite", "not finite"):
        score(made(assets, Broken()), video=textured(3, 64, 96))


def test_reduced_frames_are_not_comparable(assets: HubAssets) -> None:
    assert made(assets).comparable_to == ("vbench",)
    assert made(assets, reduction=2).comparable_to == ()
