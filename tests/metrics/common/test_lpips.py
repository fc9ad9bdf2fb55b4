# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.base import Metric
from fvhydra.metrics.common.lpips import Lpips
from fvhydra.metrics.models import lpips
from tests.metrics.golden import load, recipes
from tests.metrics.running import score, skips
from tests.similarity.conftest import textured

CONTRACT = load("lpips_contract")


def made(assets: HubAssets, **params: str) -> Metric:
    metric = Lpips(Lpips.spec.params(**params), assets)
    metric.setup()
    return metric


class MeanSquare(torch.nn.Module):
    """What stood for the network when the values were recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.anything = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (x - y).square().mean((1, 2, 3))


def test_recorded_pairs_and_range() -> None:
    generated, reference = (recipes.clip(recipes.build(CONTRACT[key])) for key in ("video", "reference"))
    found = lpips.distances(MeanSquare(), reference, generated[:9], 1)  # type: ignore[arg-type]
    expected = CONTRACT["result"]
    assert found == pytest.approx(expected["details"]["per_frame"], rel=1e-6)
    assert found.mean() == pytest.approx(expected["score"], rel=1e-6)


@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_chunks_do_not_matter(assets: HubAssets, chunk: int) -> None:
    clip, other = textured(7, 64, 80), textured(7, 64, 80, seed=1)
    metric = made(assets)
    found = score(metric, video=clip, reference=other, chunk=chunk)
    paths = [assets.path(metric.spec, asset.name) for asset in metric.spec.assets]
    whole = lpips.distances(lpips.load_lpips(*paths, "cpu"), other, clip, 4096)
    assert found.series["per_frame"] == pytest.approx(whole, rel=1e-5)
    assert (found.value, found.frames) == (pytest.approx(whole.mean(), rel=1e-5), 7)


def test_equal_clips_are_ideal(assets: HubAssets) -> None:
    clip = textured(3, 64, 80)
    assert score(made(assets), video=clip, reference=clip).value == 0 == Lpips.spec.ideal


def test_frames_that_are_too_small(assets: HubAssets) -> None:
    small = textured(2, 30, 64)
    with skips("shape", "30x64; 31x31 are needed"):
        score(made(assets), video=small, reference=small)
    least = textured(2, 31, 31)
    assert score(made(assets), video=least, reference=least).value == 0


def test_alignment_follows_the_parity(assets: HubAssets) -> None:
    assert (made(assets).alignment, made(assets, parity="peer").alignment) == ("strict", "truncate")


def test_weights_are_loaded_once_for_all(assets: HubAssets) -> None:
    first, second = made(assets), made(assets)
    assert first._network is second._network  # type: ignore[attr-defined]


def test_missing_weights_skip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with skips(
        "no_weights", "weights unavailable: https://download.pytorch.org/models/alexnet-owt-7be5be79.pth, 233 MB"
    ):
        made(HubAssets("cpu", tmp_path))


def test_memory_stays_within_its_budget(assets: HubAssets) -> None:
    """The constant behind the size of batches: what a pair of frames takes, a pixel."""
    seen: list[int] = []

    class Counting(MeanSquare):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            seen.append(len(x))
            return super().forward(x, y)

    clip = np.zeros((9, 480, 832, 3), np.uint8)
    lpips.distances(Counting(), clip, clip, 256)  # type: ignore[arg-type]
    assert seen == [4, 4, 1]
