# SPDX-License-Identifier: Apache-2.0
"""``vbench.temporal_flickering``: mean absolute difference of neighbouring frames, as a score from 0 to 1."""

from __future__ import annotations

import dataclasses
from typing import Annotated, cast

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import doc, one_of
from fvhydra.metrics.base import Chunk, Metric, Reading, SampleVideos, Score, Skipped, Track
from fvhydra.metrics.functional.parity import Parity
from fvhydra.metrics.functional.vbench.temporal import (
    STATIC_SHARE,
    frame_differences,
    stands_still,
    temporal_flickering,
)
from fvhydra.metrics.models.weights import RAFT
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.series import SeriesReading, Values
from fvhydra.metrics.spec import Input, Output, Spec
from fvhydra.metrics.vbench.flow import Magnitudes, raft, require_side


@dataclass
class TemporalFlickeringParams:
    """What a clip of one frame scores, and which clips count."""

    parity: Annotated[str, one_of("upstream", "peer")] = doc(
        "upstream: a clip of one frame is skipped; peer: it scores 1, as FastVideo has it", "upstream"
    )
    static_filter: bool = doc(
        "Clips that move are skipped, by their optical flow (RAFT), as for VBench's leaderboard", False
    )


class TemporalFlickering(Metric):
    """See :func:`fvhydra.metrics.functional.vbench.temporal.temporal_flickering`.

    A clip that stands still is ideal. VBench measures only clips that hardly move, which ``static_filter`` selects.
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
        assets=(dataclasses.replace(RAFT, when="static_filter=True"),),
        source="VBench (Huang et al. 2024); with its filter of clips that move: Teed and Deng 2020",
        comparable_to=("vbench",),
        sees=("noise", "speed 2x", "cut to another"),
    )

    @property
    def comparable_to(self) -> tuple[str, ...]:
        return self.spec.comparable_to if self.params.static_filter else ()

    def setup(self) -> None:
        if self.params.static_filter:
            self._estimate = raft(self.assets, self.spec)

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        reading = SeriesReading(_Differences(), "per_pair_mae", self._finish)
        if not self.params.static_filter:
            return reading
        require_side(clip.tracks["video"])
        return _Filtered(reading, Magnitudes(self._estimate, 1, STATIC_SHARE), clip.tracks["video"])

    def _finish(self, differences: Values) -> float:
        if not len(differences) and self.params.parity == "upstream":
            raise Skipped("too_short", "one frame does not flicker; it takes two")
        return temporal_flickering(differences.astype(np.float64), cast(Parity, self.params.parity))


class _Filtered:
    """Has a value only of a clip that stands still."""

    def __init__(self, reading: SeriesReading, magnitudes: Magnitudes, track: Track) -> None:
        self._reading, self._magnitudes, self._track = reading, magnitudes, track

    def update(self, chunk: Chunk) -> None:
        self._reading.update(chunk)
        self._magnitudes.update(chunk)

    def result(self) -> Score:
        found, seen = self._reading.result(), self._magnitudes
        if not stands_still(seen.values, seen.between_ends(), self._track.height, self._track.width, seen.frames):
            raise Skipped("filtered", "the clip moves, and VBench measures the flickering of static ones")
        return found


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
