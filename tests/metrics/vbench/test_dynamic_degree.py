# SPDX-License-Identifier: Apache-2.0
"""The degree of motion and the filter of static clips: with what stood for RAFT when the values were recorded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.base import Metric, Shared
from fvhydra.metrics.catalogue import metric_class
from fvhydra.metrics.models import raft
from tests.metrics.golden import load, recipes
from tests.metrics.running import score, skips
from tests.similarity.conftest import textured

GOLDEN = load("motion_dynamic")


class Stub(nn.Module):
    """Differences of brightness for flow, or a strip on top that moves by so many pixels."""

    def __init__(self, kind: str | float) -> None:
        super().__init__()
        self.kind = kind
        self.device_of = nn.Parameter(torch.zeros(1))

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> tuple[None, torch.Tensor]:
        if self.kind == "diff":
            return None, torch.stack([(second - first).mean(1) / 4, first.mean(1) / 64], 1)
        if self.kind == "change":  # of brightness, in pixels a level
            return None, (second - first)[:, :2]
        flow = torch.zeros(len(first), 2, *first.shape[2:])
        flow[:, 0, : first.shape[2] // 10] = float(self.kind)
        return None, flow


def made(name: str, assets: HubAssets, flow: Any = None, **params: Any) -> Metric:
    if flow is not None:
        networks = Shared()
        networks("raft", lambda: Stub(flow))
        assets = HubAssets("cpu", assets.cache_dir, tiny=True, networks=networks)
    found = metric_class(name)
    metric = found(found.spec.params(**params), assets)
    metric.setup()
    return metric


@pytest.mark.parametrize("chunk", [1, 4, 100])
@pytest.mark.parametrize("case", GOLDEN["dynamic_degree"], ids=lambda case: case["name"])
def test_recorded(case: dict[str, Any], chunk: int, assets: HubAssets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raft, "LEAST_SIDE", 1)  # the stub takes pictures of any size
    metric = made("vbench.dynamic_degree", assets, case["flow"], parity="peer")
    clip, expected = recipes.clip(recipes.build(case["video"])), case["details"]
    found = score(metric, video=clip, fps=case["fps"], chunk=chunk)
    assert found.value == case["score"]
    assert found.series["per_pair_magnitude"] == pytest.approx(expected["per_pair_magnitude"], rel=1e-5)
    names = ("threshold", "count_above", "count_needed", "interval")
    assert [found.outputs[name] for name in names] == [expected[name] for name in names]
    assert found.frames == expected["n_frames_used"]


def test_what_is_too_short_or_too_small_has_no_value(assets: HubAssets) -> None:
    metric = made("vbench.dynamic_degree", assets)
    for frames, fps, reason in ((1, 8, "1 in all"), (2, 8, "2 in all"), (7, 32, "of every 4 frames one, 2 in all")):
        with skips("too_short", reason):
            score(metric, video=textured(frames, 64, 96), fps=fps)
    with skips("shape", "57x57, not 56x96"):
        score(metric, video=textured(4, 56, 96), fps=8)
    with skips("missing_input", "above 0"):
        score(metric, video=textured(4, 64, 96), fps=0)


def test_flow_that_is_not_finite_is_no_value(assets: HubAssets) -> None:
    with skips("nonfinite", "not finite"):
        score(made("vbench.dynamic_degree", assets, float("nan")), video=textured(4, 64, 96), fps=8)


# 16 frames of 64 rows: a pair moves above 0.75 px, two may, and from end to end 3 px
@pytest.mark.parametrize(
    ("moves", "static"),
    [((), True), ((3, 9), True), ((3, 9, 12), False)],  # each by 1 level in 3 colours: 1.4 px
)
def test_flickering_is_measured_of_static_clips(moves: tuple[int, ...], static: bool, assets: HubAssets) -> None:
    video = np.full((16, 64, 96, 3), 100, np.uint8)
    for index in moves:
        video[index:] += 1
    plain = score(made("vbench.temporal_flickering", assets), video=video)
    quiet = made("vbench.temporal_flickering", assets, "change", static_filter=True)
    if static:
        assert score(quiet, video=video).value == plain.value
    else:
        with skips("filtered", "moves"):
            score(quiet, video=video)


def test_a_clip_that_ends_elsewhere_is_not_static(assets: HubAssets) -> None:
    metric = made("vbench.temporal_flickering", assets, "change", static_filter=True)
    video = np.full((16, 64, 96, 3), 100, np.uint8)
    video[9:] += 3  # one pair of neighbours moves, as may be, and the ends are 4.2 px apart
    with skips("filtered", "moves"):
        score(metric, video=video)


def test_only_filtered_flickering_is_comparable(assets: HubAssets) -> None:
    assert made("vbench.temporal_flickering", assets, static_filter=True).comparable_to == ("vbench",)
    assert made("vbench.temporal_flickering", assets).comparable_to == ()
