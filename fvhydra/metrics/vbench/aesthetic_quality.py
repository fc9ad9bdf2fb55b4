# SPDX-License-Identifier: Apache-2.0
"""``vbench.aesthetic_quality``: LAION's aesthetic predictor on frames."""

from __future__ import annotations

import numpy as np
from pydantic.dataclasses import dataclass

from fvhydra.metrics.base import Chunk, Metric, Reading, SampleVideos
from fvhydra.metrics.models.weights import AESTHETIC_HEAD, CLIP_L14
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.series import SeriesReading, Values
from fvhydra.metrics.spec import Input, Output, Spec


@dataclass
class AestheticQualityParams:
    """It has no parameters."""


class AestheticQuality(Metric):
    """``head(x / |x|) / 10`` of CLIP's features x of each frame; the head was fitted to marks of 1 to 10."""

    spec = Spec(
        id="vbench.aesthetic_quality",
        version=1,
        title="Aesthetic mark of the frames (LAION's predictor on CLIP ViT-L/14), mean over the frames, of 1",
        kind="sample",
        direction="higher",
        unit="1",
        inputs=(Input("video", "video"),),
        outputs=(Output("per_frame", direction="higher", per="frame"),),
        params=AestheticQualityParams,
        assets=(CLIP_L14, AESTHETIC_HEAD),
        source="VBench (Huang et al. 2024); LAION aesthetic predictor v1",
        comparable_to=("vbench",),
    )

    def setup(self) -> None:
        from fvhydra.metrics.models import clip, loading

        folder, head = (self.assets.path(self.spec, asset.name) for asset in self.spec.assets)
        self._tower = self.assets.networks("clip_l14", lambda: clip.load_clip(folder, self.assets.device))
        weights = loading.state_dict(head)
        self._weight, self._bias = weights["weight"].numpy()[0], float(weights["bias"])

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        return SeriesReading(self._marks)

    def _marks(self, chunk: Chunk) -> Values:
        from fvhydra.metrics.models import clip

        features = clip.features(self._tower, chunk.tracks["video"], self.assets.memory_mb)
        unit = features / np.linalg.norm(features, axis=1, keepdims=True)
        return np.asarray((unit @ self._weight + self._bias) / 10)
