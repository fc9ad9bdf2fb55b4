# SPDX-License-Identifier: Apache-2.0
"""``vbench.imaging_quality``: distortions of the frames, by MUSIQ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydantic.dataclasses import dataclass

from fvhydra.metrics.base import Chunk, Metric, Reading, SampleVideos
from fvhydra.metrics.models.weights import MUSIQ_SPAQ
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.series import SeriesReading, Values
from fvhydra.metrics.spec import Input, Output, Spec


@dataclass
class ImagingQualityParams:
    """It has no parameters."""


class ImagingQuality(Metric):
    """A hundredth of MUSIQ's mark of each frame; see :mod:`fvhydra.metrics.models.musiq`."""

    spec = Spec(
        id="vbench.imaging_quality",
        version=1,
        title="How free of distortions the frames are (MUSIQ trained on SPAQ), mean over the frames, of 1",
        kind="sample",
        direction="higher",
        unit="1",
        inputs=(Input("video", "video"),),
        outputs=(Output("per_frame", direction="higher", per="frame"),),
        params=ImagingQualityParams,
        assets=(MUSIQ_SPAQ,),
        source="VBench (Huang et al. 2024); Ke et al. 2021",
        comparable_to=("vbench",),
    )

    def setup(self) -> None:
        from fvhydra.metrics.models import musiq

        path: Path = self.assets.path(self.spec, MUSIQ_SPAQ.name)
        self._network: Any = self.assets.networks("musiq_spaq", lambda: musiq.load_musiq(path, self.assets.device))

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        return SeriesReading(self._marks)

    def _marks(self, chunk: Chunk) -> Values:
        from fvhydra.metrics.models import musiq

        frames = chunk.tracks["video"]
        if not len(frames):
            return np.empty(0)
        return np.asarray(musiq.marks(self._network, frames, self.assets.memory_mb) / 100, np.float64)
