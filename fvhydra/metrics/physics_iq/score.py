# SPDX-License-Identifier: Apache-2.0
"""``physics_iq.score``: how a clip agrees with a recording, against how a second take of it does."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, cast

from fvhydra.core.scores import ScoreRow
from fvhydra.metrics.base import Alignment, Chunk, Metric, Reading, SampleVideos, Score, Skipped
from fvhydra.metrics.functional.parity import Parity
from fvhydra.metrics.functional.physics_iq.score import Judged, Means, clip_score, corpus_score
from fvhydra.metrics.physics_iq.measures import MASKS
from fvhydra.metrics.physics_iq.takes import LEADERBOARD, Comparison, PhysicsIqParams, leaderboard
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Input, Output, Spec

_MEASURES = tuple(field.name for field in dataclasses.fields(Means))
_VARIANCE = "variance_"


class PhysicsIqScore(Metric):
    """The value over all samples is the benchmark's score; a clip's own is FastVideo's, and only a hint.

    A clip whose two takes share no motion has no value of its own, and counts in the score all the same: the benchmark
    averages first, and divides then.
    """

    spec = Spec(
        id="physics_iq.score",
        version=2,
        title="Physics-IQ score: agreement with a recording, 100 where a second take agrees no better",
        kind="sample",
        direction="higher",
        unit="1",
        low=0.0,
        high=100.0,
        inputs=(
            Input("video", "video"),
            Input("reference", "video"),
            Input("reference_take2", "video"),
            *MASKS,
            Input("reference_take2_mask", "video", required=False),
            Input("scenario", "text", required=False),
            Input("view", "text", required=False),
        ),
        outputs=(
            *(Output(name, direction="lower" if name == "mse" else "higher") for name in _MEASURES),
            *(Output(f"{_VARIANCE}{name}") for name in _MEASURES),
            Output("frames"),
            Output("scenario"),
            Output("view"),
        ),
        params=PhysicsIqParams,
        source="Physics-IQ (Motamed et al. 2025)",
        rule="the score of the means, over the frames of a scenario and over scenarios; parity=peer: over all frames",
        comparable_to=(LEADERBOARD,),
        ideal=100.0,
        sees=("shift by one", "speed 2x", "freeze", "swap two clips", "cut to another"),
    )

    @property
    def comparable_to(self) -> tuple[str, ...]:
        return leaderboard(self.params)

    @property
    def alignment(self) -> Alignment:
        """Each video is cut to the seconds by itself; sizes may differ."""
        return "free"

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        return _Reading(
            Comparison.of(clip, ("video", "reference"), self.params),
            # the benchmark takes the first take for the generated clip here
            Comparison.of(clip, ("reference", "reference_take2"), self.params),
            {name: sample.keys.get(name) for name in ("scenario", "view")},
        )

    def corpus(self, rows: Sequence[ScoreRow]) -> Score:
        judged = [_judged(row.outputs) for row in rows]
        try:
            return Score(corpus_score(judged, cast(Parity, self.params.parity)))
        except ValueError as error:
            raise Skipped("nonfinite", str(error)) from error


class _Reading:
    def __init__(self, generated: Comparison, variance: Comparison, labels: dict[str, Any]) -> None:
        self._comparisons = generated, variance
        self._labels = labels

    def update(self, chunk: Chunk) -> None:
        for comparison in self._comparisons:
            comparison.update(chunk)

    def result(self) -> Score:
        generated, variance = (comparison.agreement() for comparison in self._comparisons)
        frames = len(generated.mse)
        judged = Judged(Means.of(generated), Means.of(variance), frames)
        outputs = {
            **vars(judged.agreement),
            **{f"{_VARIANCE}{name}": found for name, found in vars(judged.variance).items()},
            "frames": frames,
            **self._labels,
        }
        try:
            return Score(clip_score(judged), outputs, frames=frames)
        except ValueError as error:
            return Score(None, outputs, frames=frames, undefined=str(error))


def _judged(outputs: dict[str, Any]) -> Judged:
    agreement, variance = (
        Means(*(float(outputs[f"{prefix}{name}"]) for name in _MEASURES)) for prefix in ("", _VARIANCE)
    )
    return Judged(agreement, variance, int(outputs["frames"]), str(outputs["scenario"] or ""))
