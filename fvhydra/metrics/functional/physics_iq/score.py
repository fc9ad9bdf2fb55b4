# SPDX-License-Identifier: Apache-2.0
"""The Physics-IQ score: how a continuation agrees with a recording, against how a second take of it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fvhydra.metrics.functional.parity import Parity
from fvhydra.metrics.functional.physics_iq.agreement import Agreement


@dataclass(frozen=True)
class Means:
    """The four measures of :class:`Agreement`, averaged over whatever was taken together."""

    mse: float
    spatiotemporal_iou: float
    spatial_iou: float
    weighted_spatial_iou: float

    @classmethod
    def of(cls, agreement: Agreement) -> Means:
        """The means over the frames of one clip."""
        return cls(
            mse=float(agreement.mse.mean()),
            spatiotemporal_iou=float(agreement.spatiotemporal_iou.mean()),
            spatial_iou=agreement.spatial_iou,
            weighted_spatial_iou=agreement.weighted_spatial_iou,
        )


@dataclass(frozen=True)
class Judged:
    """The measures of one generated clip that its score is made of.

    Attributes:
        agreement: Of the clip with the first take.
        variance: Of the second take with the first: the physical variance.
        frames: How many frames both are of.
        scenario: What was recorded; the views of one scenario are averaged before scenarios are.
    """

    agreement: Means
    variance: Means
    frames: int
    scenario: str = ""


def clip_score(judged: Judged) -> float:
    """The score of one clip, as FastVideo's evaluation shows it; the benchmark has none.

    Returns:
        :func:`physics_iq`, held to 0 to 100, with two decimals.

    Raises:
        ValueError: The variance has an IoU of 0, by which nothing can be divided.

    Example:
        >>> takes = Means(mse=0.0, spatiotemporal_iou=0.8, spatial_iou=0.8, weighted_spatial_iou=0.8)
        >>> clip_score(Judged(Means(0.01, 0.4, 0.4, 0.4), takes, frames=10))
        49.0
    """
    return _held(physics_iq(judged.agreement, judged.variance))


def corpus_score(clips: Sequence[Judged], parity: Parity = "upstream") -> float:
    """The score of a benchmark: the formula on the means over all clips; higher is better, 100 is a second take's.

    Args:
        clips: At least one.
        parity: ``upstream`` averages the views of a scenario and then the scenarios, and rounds the variances (4
            decimals; 5 for the spatial IoU). ``peer`` pools the frames of all clips and rounds nothing. They are equal
            where all scenarios have equally many frames, but for the rounding.

    Returns:
        Held to 0 to 100, as the benchmark's, with two decimals.

    Raises:
        ValueError: No clips, or the variance has an IoU of 0 on average over all of them.

    Example:
        >>> takes, still = Means(0.0, 0.8, 0.8, 0.8), Means(0.0, 0.0, 0.0, 0.0)
        >>> corpus_score([Judged(Means(0.0, 0.4, 0.4, 0.4), variance, 10) for variance in (takes, still)])
        100.0
    """
    if not clips:
        raise ValueError("a score needs at least one clip")
    if parity == "peer":
        groups = [list(clips)]
    else:
        scenarios = dict.fromkeys(clip.scenario for clip in clips)
        groups = [[clip for clip in clips if clip.scenario == scenario] for scenario in scenarios]
    agreement = _averaged([_pooled([(clip.agreement, clip.frames) for clip in group]) for group in groups])
    variance = _averaged([_pooled([(clip.variance, clip.frames) for clip in group]) for group in groups])
    if parity == "upstream":
        variance = Means(
            mse=round(variance.mse, 4),
            spatiotemporal_iou=round(variance.spatiotemporal_iou, 4),
            spatial_iou=round(variance.spatial_iou, 5),
            weighted_spatial_iou=round(variance.weighted_spatial_iou, 4),
        )
    return _held(physics_iq(agreement, variance))


def physics_iq(agreement: Means, variance: Means) -> float:
    """``100 ((st/st' + s/s' + ws/ws') / 3 - (mse - mse'))``, with the dashes of the physical variance.

    st, s and ws are the spatiotemporal, spatial and weighted spatial IoU. 100 for a clip that agrees as a second take
    does; neither bounded below by 0 nor above by 100.

    Raises:
        ValueError: An IoU of the variance is 0.

    Example:
        >>> physics_iq(Means(0.0, 0.75, 0.75, 0.75), variance=Means(0.0, 0.5, 0.5, 0.5))
        150.0
    """
    ratios = []
    for name in ("spatiotemporal_iou", "spatial_iou", "weighted_spatial_iou"):
        if not getattr(variance, name):
            raise ValueError(f"the two takes have a {name} of 0, by which nothing can be divided")
        ratios.append(getattr(agreement, name) / getattr(variance, name))
    return float(100 * (sum(ratios) / 3 - (agreement.mse - variance.mse)))


def _held(score: float) -> float:
    return round(min(max(score, 0.0), 100.0), 2)


def _pooled(clips: Sequence[tuple[Means, int]]) -> Means:
    """Over all frames where there is a value a frame, over clips where there is one a clip."""
    means, frames = zip(*clips, strict=True)
    return Means(
        mse=float(np.average([each.mse for each in means], weights=frames)),
        spatiotemporal_iou=float(np.average([each.spatiotemporal_iou for each in means], weights=frames)),
        spatial_iou=float(np.mean([each.spatial_iou for each in means])),
        weighted_spatial_iou=float(np.mean([each.weighted_spatial_iou for each in means])),
    )


def _averaged(means: Sequence[Means]) -> Means:
    return _pooled([(each, 1) for each in means])
