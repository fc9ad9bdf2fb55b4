# SPDX-License-Identifier: Apache-2.0
"""``physics_iq.mse``, ``.spatial_iou``, ``.spatiotemporal_iou`` and ``.weighted_spatial_iou``: a clip and a recording.

Each picks one of what :class:`~fvhydra.metrics.physics_iq.takes.Comparison` computes for all of them.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from fvhydra.metrics.base import Alignment, Chunk, Metric, Reading, SampleVideos, Score
from fvhydra.metrics.physics_iq.takes import LEADERBOARD, Comparison, PhysicsIqParams, leaderboard
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Direction, Input, Output, Spec

MASKS = (Input("video_mask", "video", required=False), Input("reference_mask", "video", required=False))
"""Motion masks from elsewhere, white where something moves, instead of those that would be computed."""

_SHIFTS = ("drop a frame", "repeat a frame", "shift by one")
_MOVES = ("speed 2x", "freeze", "swap two clips", "cut to another")


def _spec(name: str, title: str, direction: Direction, ideal: float, sees: tuple[str, ...], series: bool) -> Spec:
    return Spec(
        id=f"physics_iq.{name}",
        version=2,
        title=title,
        kind="sample",
        direction=direction,
        unit="1",
        low=0.0,
        high=1.0,
        inputs=(Input("video", "video"), Input("reference", "video"), *MASKS),
        outputs=(Output("per_frame", direction=direction, per="frame"),) if series else (),
        params=PhysicsIqParams,
        source="Physics-IQ (Motamed et al. 2025)",
        comparable_to=(LEADERBOARD,),
        ideal=ideal,
        sees=sees,
    )


class MaskedMetric(Metric):
    """One of the four measures of :class:`~fvhydra.metrics.functional.physics_iq.agreement.Agreement`."""

    measure: ClassVar[Literal["mse", "spatiotemporal_iou", "spatial_iou", "weighted_spatial_iou"]]

    @property
    def comparable_to(self) -> tuple[str, ...]:
        return leaderboard(self.params)

    @property
    def alignment(self) -> Alignment:
        """Each video is cut to the seconds by itself; sizes may differ."""
        return "free"

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        return _Reading(Comparison.of(clip, ("video", "reference"), self.params), self.measure)


class Mse(MaskedMetric):
    """Mean squared difference of the frames."""

    measure = "mse"
    spec = _spec(
        "mse",
        "Mean squared difference from the recording, of values in 0 to 1",
        direction="lower",
        ideal=0.0,
        sees=(*_SHIFTS, *_MOVES, "hue shift", "blur", "noise", "jpeg"),
        series=True,
    )


class SpatiotemporalIou(MaskedMetric):
    """Overlap of the motion masks, frame by frame."""

    measure = "spatiotemporal_iou"
    spec = _spec(
        "spatiotemporal_iou",
        "Overlap of what moves with what moves in the recording, frame by frame",
        direction="higher",
        ideal=1.0,
        sees=(*_SHIFTS, *_MOVES),
        series=True,
    )


class SpatialIou(MaskedMetric):
    """Overlap of the regions that move at any time."""

    measure = "spatial_iou"
    spec = _spec(
        "spatial_iou",
        "Overlap of where anything moves at any time with where it does in the recording",
        direction="higher",
        ideal=1.0,
        sees=_MOVES,
        series=False,
    )


class WeightedSpatialIou(MaskedMetric):
    """Overlap of the regions that move, weighted by how long they do."""

    measure = "weighted_spatial_iou"
    spec = _spec(
        "weighted_spatial_iou",
        "Overlap of where and for how long anything moves with the same in the recording",
        direction="higher",
        ideal=1.0,
        sees=_MOVES,
        series=False,
    )


class _Reading:
    def __init__(self, comparison: Comparison, measure: str) -> None:
        self._comparison = comparison
        self._measure = measure

    def update(self, chunk: Chunk) -> None:
        self._comparison.update(chunk)

    def result(self) -> Score:
        agreement = self._comparison.agreement()
        found, frames = getattr(agreement, self._measure), len(agreement.mse)
        if isinstance(found, np.ndarray):
            return Score(float(found.mean()), series={"per_frame": found}, frames=frames)
        return Score(found, frames=frames)
