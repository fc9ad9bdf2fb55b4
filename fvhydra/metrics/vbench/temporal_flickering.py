# SPDX-License-Identifier: Apache-2.0
"""``vbench.temporal_flickering``: mean absolute difference of neighbouring frames, as a score from 0 to 1."""

from __future__ import annotations

from typing import Annotated, cast

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import doc, one_of
from fvhydra.metrics.base import Chunk, Metric, Reading, SampleVideos, Skipped
from fvhydra.metrics.functional.parity import Parity
from fvhydra.metrics.functional.vbench.temporal import frame_differences, temporal_flickering
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.series import SeriesReading, Values
from fvhydra.metrics.spec import Input, Output, Spec


@dataclass
class TemporalFlickeringParams:
    """What a clip of one frame scores."""

    parity: Annotated[str, one_of("upstream", "peer")] = doc(
        "upstream: a clip of one frame is skipped; peer: it scores 1, as FastVideo has it", "upstream"
    )


class TemporalFlickering(Metric):
    """See :func:`fvhydra.metrics.functional.vbench.temporal.temporal_flickering`.

    A clip that stands still is ideal. VBench leaves such clips out beforehand, by their optical flow; this does not.
    """

    spec = Spec(
        id="vbench.temporal_flickering",
        version=1,
        title="How little each frame differs from the next one",
        kind="sample",
        direction="higher",
        unit="1",
        low=0.0,
        high=1.0,
        inputs=(Input("video", "video"),),
        outputs=(Output("per_pair_mae", unit="levels of 255", direction="lower", per="pair"),),
        params=TemporalFlickeringParams,
        source="VBench, without its filter for clips that stand still",
        sees=("noise", "speed 2x", "cut to another"),
    )

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        return SeriesReading(_Differences(), "per_pair_mae", self._finish)

    def _finish(self, differences: Values) -> float:
        if not len(differences) and self.params.parity == "upstream":
            raise Skipped("too_short", "one frame does not flicker; it takes two")
        return temporal_flickering(differences.astype(np.float64), cast(Parity, self.params.parity))


class _Differences:
    """Differences of neighbouring frames, with that of a chunk's first frame and the last one of the chunk before."""

    def __init__(self) -> None:
        self._last: NDArray[np.uint8] | None = None

    def __call__(self, chunk: Chunk) -> NDArray[np.float64]:
        frames = chunk.tracks["video"]
        if not len(frames):
            return np.empty(0)
        first = [] if self._last is None else [frame_differences(np.stack([self._last, frames[0]]))]
        self._last = frames[-1].copy()  # a view would keep the whole chunk
        return np.concatenate([*first, frame_differences(frames)])
