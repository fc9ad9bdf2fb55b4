# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.base import Shared
from fvhydra.metrics.models import musiq
from fvhydra.metrics.models.tiny import build_network
from fvhydra.metrics.vbench.imaging_quality import ImagingQuality, ImagingQualityParams
from tests.metrics.running import score, skips
from tests.similarity.conftest import textured


@pytest.mark.parametrize("chunk", [1, 4])
def test_it_is_a_hundredth_of_the_mean_mark(assets: HubAssets, chunk: int) -> None:
    metric = ImagingQuality(ImagingQualityParams(), assets)
    metric.setup()
    video = textured(3, 60, 530)
    network = musiq.load_musiq(build_network("musiq_spaq", assets.cache_dir), "cpu")
    with torch.inference_mode():
        marks = torch.cat([network(musiq.preprocess(frame[None]))[:, 0] for frame in video])
    found = score(metric, video=video, chunk=chunk)
    assert found.series["per_frame"] == pytest.approx((marks / 100).numpy(), abs=1e-6)
    assert found.value == pytest.approx(float(marks.mean() / 100), abs=1e-6)


def test_marks_that_are_not_finite_are_no_value(assets: HubAssets) -> None:
    network = musiq.load_musiq(build_network("musiq_spaq", assets.cache_dir), "cpu")
    network.head.bias = torch.nn.Parameter(torch.tensor([float("nan")]))
    networks = Shared()
    networks("musiq_spaq", lambda: network)
    metric = ImagingQuality(ImagingQualityParams(), HubAssets("cpu", assets.cache_dir, tiny=True, networks=networks))
    metric.setup()
    with skips("nonfinite", "2 of 2"):
        score(metric, video=textured(2, 40, 40))
