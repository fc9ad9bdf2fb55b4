# SPDX-License-Identifier: Apache-2.0
"""Statistics of a clip over the comparisons of its pairs of frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from fvhydra.metrics.functional.optical_flow.comparison import FlowComparison

_WINDOW = 5


@dataclass(frozen=True)
class FlowSummary:
    """Statistics of the comparisons of a clip.

    Attributes:
        n_frames: Pairs of frames.
        values: By name: ``<measure>_mean``, ``_std`` (of the population), ``_max``, and ``_auc``, the trapezoidal area
            over the pairs, divided by their number less one; of the pairs that have the measure, NaN where none has.
            The score is ``pixel_epe_mean_mean``.
        divergence_onset_frame: The first pair of the first five (or as many as there are) that are above the threshold
            on average; None where there are none.
        divergence_threshold: Twice the median ``pixel_epe_mean`` of the first five pairs, 1 px at least.
    """

    n_frames: int
    values: dict[str, float]
    divergence_onset_frame: int | None
    divergence_threshold: float


def summarise(pairs: Sequence[FlowComparison]) -> FlowSummary:
    """Sum up a clip.

    Args:
        pairs: In order, at least one.

    Raises:
        ValueError: No pairs.

    Example:
        >>> values = {field.name: 1.0 for field in fields(FlowComparison)}
        >>> found = summarise([FlowComparison(**values), FlowComparison(**values | {"pixel_epe_mean": 3.0})])
        >>> found.values["pixel_epe_mean_mean"], found.values["pixel_epe_mean_max"], found.divergence_threshold
        (2.0, 3.0, 4.0)
    """
    if not pairs:
        raise ValueError("a summary needs at least one pair of frames")
    values: dict[str, float] = {}
    for measure in fields(FlowComparison):
        series = np.asarray([getattr(pair, measure.name) for pair in pairs], np.float64)
        series = series[~np.isnan(series)]
        if not len(series):
            values |= dict.fromkeys((f"{measure.name}_{rule}" for rule in ("mean", "std", "max", "auc")), math.nan)
            continue
        values[f"{measure.name}_mean"] = float(series.mean())
        values[f"{measure.name}_std"] = float(series.std())
        values[f"{measure.name}_max"] = float(series.max())
        values[f"{measure.name}_auc"] = float(np.trapezoid(series) / max(len(series) - 1, 1))
    errors = np.asarray([pair.pixel_epe_mean for pair in pairs], np.float64)
    window = min(_WINDOW, len(errors))
    threshold = max(2 * float(np.median(errors[:window])), 1.0)
    above = np.flatnonzero(np.convolve(errors, np.ones(window) / window, mode="valid") > threshold)
    return FlowSummary(len(pairs), values, int(above[0]) if len(above) else None, threshold)
