# SPDX-License-Identifier: Apache-2.0
"""``common.lpips``: perceptual distance of frames in the features of AlexNet (LPIPS)."""

from __future__ import annotations

from typing import Annotated

from pydantic.dataclasses import dataclass

from fvhydra.config.fields import doc, one_of
from fvhydra.metrics.base import Chunk, Metric, Reading, SampleVideos, Skipped
from fvhydra.metrics.models.weights import ALEXNET, LPIPS_ALEX
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.series import SeriesReading, Values
from fvhydra.metrics.spec import Input, Output, Spec

_LEAST_SIDE = 31
"""Pixels; of less, AlexNet's second pooling leaves nothing."""


@dataclass
class LpipsParams:
    """How clips of unequal length are compared."""

    parity: Annotated[str, one_of("upstream", "peer")] = doc(
        "upstream: clips of unequal length are skipped; peer: cut to the shorter, as FastVideo does", "upstream"
    )


class Lpips(Metric):
    """See :mod:`fvhydra.metrics.models.lpips`. Frames are compared as large as they are."""

    spec = Spec(
        id="common.lpips",
        version=1,
        title="Perceptual distance to the reference (LPIPS, AlexNet), mean over the frames",
        kind="sample",
        direction="lower",
        unit="1",
        low=0.0,
        inputs=(Input("video", "video"), Input("reference", "video")),
        outputs=(Output("per_frame", direction="lower", per="frame"),),
        params=LpipsParams,
        assets=(ALEXNET, LPIPS_ALEX),
        source="Zhang et al. 2018, weights 0.1",
        ideal=0.0,
        sees=(
            *("drop a frame", "repeat a frame", "shift by one", "swap two clips"),
            *("hue shift", "blur", "noise", "jpeg", "speed 2x"),
        ),
    )

    def setup(self) -> None:
        from fvhydra.metrics.models import lpips

        alexnet, heads = (self.assets.path(self.spec, asset.name) for asset in self.spec.assets)
        self._network = self.assets.networks("lpips", lambda: lpips.load_lpips(alexnet, heads, self.assets.device))

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        track = clip.tracks["video"]
        if min(track.height, track.width) < _LEAST_SIDE:
            raise Skipped("shape", f"frames of {track.height}x{track.width}; {_LEAST_SIDE}x{_LEAST_SIDE} are needed")
        return SeriesReading(self._distances)

    def _distances(self, chunk: Chunk) -> Values:
        from fvhydra.metrics.models import lpips

        pair = chunk.tracks["reference"], chunk.tracks["video"]
        return lpips.distances(self._network, *pair, self.assets.memory_mb)
