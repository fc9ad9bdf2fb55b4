# SPDX-License-Identifier: Apache-2.0
"""``vbench.dynamic_degree``: whether much moves in a clip, by its optical flow."""

from __future__ import annotations

from typing import Annotated, cast

import numpy as np
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import doc, one_of
from fvhydra.metrics.base import Chunk, Metric, Reading, SampleVideos, Score, Skipped, Track
from fvhydra.metrics.functional.parity import Parity
from fvhydra.metrics.functional.vbench.temporal import DYNAMIC_SHARE, dynamic_degree, dynamic_stride
from fvhydra.metrics.models.weights import RAFT
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Input, Output, Spec
from fvhydra.metrics.vbench.flow import Magnitudes, raft, require_side


@dataclass
class DynamicDegreeParams:
    """What a clip of hardly any frames scores."""

    parity: Annotated[str, one_of("upstream", "peer")] = doc(
        "upstream: a clip too short to need motion is skipped; peer: it scores 1, as with FastVideo", "upstream"
    )


class DynamicDegree(Metric):
    """See :func:`fvhydra.metrics.functional.vbench.temporal.dynamic_degree`, of RAFT's flow about 8 times a second."""

    spec = Spec(
        id="vbench.dynamic_degree",
        version=1,
        title="Whether there is much motion, by optical flow (RAFT): 1 or 0; over all clips the share that moves",
        kind="sample",
        direction="higher",
        unit="1",
        low=0.0,
        high=1.0,
        inputs=(Input("video", "video"),),
        outputs=(
            Output("per_pair_magnitude", unit="px", per="pair"),
            Output("mean_magnitude", unit="px"),
            Output("threshold", unit="px"),
            Output("count_above"),
            Output("count_needed"),
            Output("interval", unit="frames"),
        ),
        params=DynamicDegreeParams,
        assets=(RAFT,),
        source="VBench (Huang et al. 2024); Teed and Deng 2020",
        comparable_to=("vbench",),
    )

    def setup(self) -> None:
        self._estimate = raft(self.assets, self.spec)

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        track = clip.tracks["video"]
        require_side(track)
        try:
            stride = dynamic_stride(track.fps)
        except ValueError as error:
            raise Skipped("missing_input", str(error)) from error
        return _Reading(Magnitudes(self._estimate, stride, DYNAMIC_SHARE), stride, track, self.params.parity)


class _Reading:
    def __init__(self, magnitudes: Magnitudes, stride: int, track: Track, parity: str) -> None:
        self._magnitudes, self._stride, self._track = magnitudes, stride, track
        self._parity = cast(Parity, parity)

    def update(self, chunk: Chunk) -> None:
        self._magnitudes.update(chunk)

    def result(self) -> Score:
        values, frames = self._magnitudes.values, self._magnitudes.frames
        if not frames:
            raise Skipped("too_short", "the clip has no frames")
        found = dynamic_degree(values, self._track.height, self._track.width, frames, self._parity)
        if not found.count_needed and self._parity == "upstream":
            every = f"of every {self._stride} frames one, " if self._stride > 1 else ""
            raise Skipped("too_short", f"{every}{frames} in all, need no motion; it takes 3")
        outputs = {
            "mean_magnitude": float(np.mean(values)) if values else None,
            "threshold": found.threshold_px,
            "count_above": found.count_above,
            "count_needed": found.count_needed,
            "interval": self._stride,
        }
        return Score(found.score, outputs, {"per_pair_magnitude": np.asarray(values, np.float64)}, frames)
