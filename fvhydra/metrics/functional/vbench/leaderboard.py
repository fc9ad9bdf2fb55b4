# SPDX-License-Identifier: Apache-2.0
"""From the values of VBench's dimensions to the quality, semantic and total score of its leaderboard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True)
class Dimension:
    """How a dimension counts: ``(value - worst) / (best - worst) * weight``, in one of the two halves of the total."""

    group: Literal["quality", "semantic"]
    worst: float = 0.0
    best: float = 1.0
    weight: float = 1.0


DIMENSIONS: Mapping[str, Dimension] = MappingProxyType(
    {
        "subject_consistency": Dimension("quality", worst=0.1462),
        "background_consistency": Dimension("quality", worst=0.2615),
        "temporal_flickering": Dimension("quality", worst=0.6293),
        "motion_smoothness": Dimension("quality", worst=0.706, best=0.9975),
        "aesthetic_quality": Dimension("quality"),
        "imaging_quality": Dimension("quality"),
        "dynamic_degree": Dimension("quality", weight=0.5),
        "object_class": Dimension("semantic"),
        "multiple_objects": Dimension("semantic"),
        "human_action": Dimension("semantic"),
        "color": Dimension("semantic"),
        "spatial_relationship": Dimension("semantic"),
        "scene": Dimension("semantic", best=0.8222),
        "appearance_style": Dimension("semantic", worst=0.0009, best=0.2855),
        "temporal_style": Dimension("semantic", best=0.364),
        "overall_consistency": Dimension("semantic", best=0.364),
    }
)
"""The constants of VBench's leaderboard, in its order."""

_QUALITY_SHARE, _SEMANTIC_SHARE = 4, 1


@dataclass(frozen=True)
class Leaderboard:
    """The scores of one model; a score whose dimensions are not all there is None.

    Attributes:
        normalised: By dimension, times its weight. Neither cut at 0 nor at 1, as on the leaderboard.
        quality: Weighted mean of the seven dimensions of quality.
        semantic: Weighted mean of the nine semantic dimensions.
        total: ``(4 quality + semantic) / 5``.
        missing: Dimensions that were not given. The benchmark counts them as 0, silently.
    """

    normalised: Mapping[str, float]
    quality: float | None
    semantic: float | None
    total: float | None
    missing: tuple[str, ...]


def leaderboard(values: Mapping[str, float]) -> Leaderboard:
    """Normalise and add up the dimensions.

    Args:
        values: By dimension, without ``vbench.``: 0 to 1, the three styles and ``overall_consistency`` -1 to 1.

    Raises:
        ValueError: A dimension that VBench does not have.

    Example:
        >>> found = leaderboard({"dynamic_degree": 0.5, "scene": 0.4111})
        >>> dict(found.normalised), found.total, len(found.missing)
        ({'dynamic_degree': 0.25, 'scene': 0.5}, None, 14)
        >>> round(leaderboard(dict.fromkeys(DIMENSIONS, 0.5)).quality, 4)
        0.1434
    """
    if unknown := sorted(set(values) - set(DIMENSIONS)):
        raise ValueError(f"no dimensions of VBench: {', '.join(unknown)}; it has {', '.join(DIMENSIONS)}")
    normalised = {
        name: (values[name] - dimension.worst) / (dimension.best - dimension.worst) * dimension.weight
        for name, dimension in DIMENSIONS.items()
        if name in values
    }
    quality, semantic = _score(normalised, "quality"), _score(normalised, "semantic")
    total = None
    if quality is not None and semantic is not None:
        total = (_QUALITY_SHARE * quality + _SEMANTIC_SHARE * semantic) / (_QUALITY_SHARE + _SEMANTIC_SHARE)
    missing = tuple(name for name in DIMENSIONS if name not in values)
    return Leaderboard(MappingProxyType(normalised), quality, semantic, total, missing)


def _score(normalised: Mapping[str, float], group: str) -> float | None:
    weights = {name: dimension.weight for name, dimension in DIMENSIONS.items() if dimension.group == group}
    if not weights.keys() <= normalised.keys():
        return None
    return sum(normalised[name] for name in weights) / sum(weights.values())
