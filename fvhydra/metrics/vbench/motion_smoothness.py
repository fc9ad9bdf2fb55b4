# SPDX-License-Identifier: Apache-2.0
"""``vbench.motion_smoothness``: how well every other frame is foretold by its neighbours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import doc, one_of
from fvhydra.metrics.base import Chunk, Metric, Reading, SampleVideos, Score, Skipped
from fvhydra.metrics.functional.parity import Parity
from fvhydra.metrics.functional.vbench.temporal import interpolation_difference, motion_smoothness
from fvhydra.metrics.models.weights import AMT_S
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Input, Output, Spec


@dataclass
class MotionSmoothnessParams:
    """How fine the motion is looked for, and what a clip of two frames scores."""

    reduction: Literal[1, 2, 4] = doc(
        "How much smaller frames are where motion is looked for; VBench reduces those that do not fit the GPU", 1
    )
    parity: Annotated[str, one_of("upstream", "peer")] = doc(
        "upstream: a clip of two frames is skipped; peer: it scores 1, as with FastVideo", "upstream"
    )


class MotionSmoothness(Metric):
    """See :func:`fvhydra.metrics.functional.vbench.temporal.motion_smoothness`, of what AMT-S interpolates."""

    spec = Spec(
        id="vbench.motion_smoothness",
        version=1,
        title="How well every other frame is foretold by its neighbours (AMT-S), mean over the frames",
        kind="sample",
        direction="higher",
        unit="1",
        low=0.0,
        high=1.0,
        inputs=(Input("video", "video"),),
        outputs=(Output("per_pair_mae", unit="levels of 255", direction="lower", per="pair"),),
        params=MotionSmoothnessParams,
        assets=(AMT_S,),
        source="VBench (Huang et al. 2024); Li et al. 2023",
        comparable_to=("vbench",),
    )

    @property
    def comparable_to(self) -> tuple[str, ...]:
        return self.spec.comparable_to if self.params.reduction == 1 else ()

    def setup(self) -> None:
        from fvhydra.metrics.models import amt

        path: Path = self.assets.path(self.spec, AMT_S.name)
        self._network: Any = self.assets.networks("amt_s", lambda: amt.load_amt(path, self.assets.device))

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        from fvhydra.metrics.models.amt import least_side

        track, least = clip.tracks["video"], least_side(1 / self.params.reduction)
        if min(track.height, track.width) < least:
            raise Skipped("shape", f"AMT needs frames of {least}x{least}, not {track.height}x{track.width}")
        return _Reading(self)

    def differences(self, frames: NDArray[np.uint8]) -> list[float]:
        """Of each frame of odd index that has one after it, from what the two beside it foretell; uint8 frames.

        Raises:
            Skipped: ``nonfinite``.
        """
        from fvhydra.metrics.models import amt

        shown = frames[::2]
        middles = amt.between(self._network, shown[:-1], shown[1:], self.assets.memory_mb, 1 / self.params.reduction)
        if not np.isfinite(middles).all():
            raise Skipped("nonfinite", "what AMT interpolates is not finite")
        return [interpolation_difference(*pair) for pair in zip(middles, frames[1::2], strict=True)]


class _Reading:
    """Keeps the last frame of even index, and what comes after it."""

    def __init__(self, metric: MotionSmoothness) -> None:
        self._metric = metric
        self._rest: NDArray[np.uint8] | None = None
        self._found: list[float] = []

    def update(self, chunk: Chunk) -> None:
        frames = chunk.tracks["video"]
        if self._rest is not None:
            frames = np.concatenate([self._rest, frames])
        if whole := max(len(frames) - 1, 0) // 2 * 2:
            self._found += self._metric.differences(frames[: whole + 1])
        self._rest = frames[whole:].copy()  # a view would keep the whole chunk

    def result(self) -> Score:
        values, parity = np.asarray(self._found, np.float64), self._metric.params.parity
        if self._rest is None or not len(self._rest):
            raise Skipped("too_short", "the clip has no frames")
        if not len(values) and parity == "upstream":
            raise Skipped("too_short", "no frame has one on either side; it takes three")
        value = motion_smoothness(values, cast(Parity, parity))
        return Score(value, series={"per_pair_mae": values}, frames=len(values) + 1)
