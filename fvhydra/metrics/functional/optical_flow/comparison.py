# SPDX-License-Identifier: Apache-2.0
"""Twelve measures of how a generated flow differs from a reference.

``mf_`` measures compare the mean vectors, ``pixel_`` and ``px_`` ones each pixel, ``grid_`` ones the means of cells.
Most look only at pixels that move enough to have a direction and not so much as to be an estimator's mistake.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fvhydra.metrics.functional.optical_flow.direction import focus_of_expansion, histogram_divergence
from fvhydra.metrics.functional.parity import Parity

Flow = NDArray[np.float32]
Mask = NDArray[np.bool_]

_STILL_PX = 0.1
"""A mean vector shorter than this has no direction."""

_MOVING_PX = 0.5
"""A pixel that moves less has none either."""


@dataclass(frozen=True)
class FlowComparison:
    """The measures of one pair of fields. Lower is better for all but ``mf_cosine`` (higher) and ``mf_mag_ratio`` (1).

    Attributes:
        mf_epe: Distance of the mean vectors, px.
        mf_angle_err: Angle between them, 0 to 180 degrees; 90 where only one has a direction, 0 where none has.
        mf_cosine: Cosine of that angle, -1 to 1; 0 where only one has a direction, 1 where none has.
        mf_mag_ratio: Length of the generated mean vector over that of the reference; NaN where the latter is 0.
        pixel_epe_mean: Mean end-point error, px. The headline.
        pixel_epe_max: Largest end-point error, px.
        px_angle_rmse: Root mean square angle of the pixels that move in both, degrees; NaN where there are none. In
            float32, whose arc cosine gives 0.01 for equal fields.
        grid_epe_mean: Mean over cells of their mean end-point errors, px.
        grid_epe_max: The worst cell's, px.
        fl_all: Share of pixels off by more than 3 px and by more than 5 % of the reference; 0 to 1.
        foe_dist: Distance of the foci of expansion, px; NaN where fewer than ten pixels of a field move.
        flow_kl_2d: Divergence of the histograms of angle and length, nats; NaN likewise.
    """

    mf_epe: float
    mf_angle_err: float
    mf_cosine: float
    mf_mag_ratio: float
    pixel_epe_mean: float
    pixel_epe_max: float
    px_angle_rmse: float
    grid_epe_mean: float
    grid_epe_max: float
    fl_all: float
    foe_dist: float
    flow_kl_2d: float


def compare_flows(
    reference: Flow,
    generated: Flow,
    grid: int = 8,
    min_magnitude_px: float = 0.5,
    max_percentile: float = 80,
    parity: Parity = "upstream",
) -> FlowComparison:
    """Compare a generated flow field with a reference.

    Pixels count when the longer of their two vectors is at least ``min_magnitude_px`` and at most the percentile of all
    pixels; where none does, all count.

    Args:
        reference: float32 ``[H, W, 2]``, px.
        generated: Of the same shape.
        grid: Cells a side; rows and columns that do not fill a cell are left out.
        min_magnitude_px: See above.
        max_percentile: See above, 0 to 100.
        parity: ``upstream`` shares the bins of both histograms (see :func:`histogram_divergence`), and has NaN for what
            is not defined. ``peer`` does not share them, and has for these a ratio of 1, an angle of 0, the centre as
            focus, and a divergence of 0.

    Raises:
        ValueError: No fields, of different shapes, or with fewer rows or columns than cells.

    Example:
        >>> still, moving = np.zeros((16, 16, 2), np.float32), np.full((16, 16, 2), 3.0, np.float32)
        >>> found = compare_flows(moving, 2 * moving)
        >>> round(found.pixel_epe_mean, 4), found.mf_mag_ratio, found.fl_all
        (4.2426, 2.0, 1.0)
        >>> compare_flows(still, moving).mf_mag_ratio
        nan
    """
    if reference.ndim != 3 or reference.shape[-1] != 2 or reference.shape != generated.shape:
        shapes = f"{list(reference.shape)} and {list(generated.shape)}"
        raise ValueError(f"flows must be [H, W, 2] and of one shape, not {shapes}")
    if min(reference.shape[:2]) < grid:
        raise ValueError(f"a flow of {reference.shape[0]}x{reference.shape[1]} has no {grid}x{grid} cells")
    lengths, other_lengths = (np.linalg.norm(flow, axis=-1) for flow in (reference, generated))
    counted = _counted(np.maximum(lengths, other_lengths), min_magnitude_px, max_percentile)
    everywhere = counted if counted.any() else np.ones_like(counted)
    errors = np.linalg.norm(reference - generated, axis=-1)
    masked = errors[everywhere]
    cells = _cell_means(errors, counted, grid)
    foci = [focus_of_expansion(flow, parity) for flow in (reference, generated)]
    no_ratio, no_angle = (1.0, 0.0) if parity == "peer" else (math.nan, math.nan)
    return FlowComparison(
        **_mean_vectors(reference[everywhere].mean(axis=0), generated[everywhere].mean(axis=0), no_ratio),
        pixel_epe_mean=float(masked.mean()),
        pixel_epe_max=float(masked.max()),
        px_angle_rmse=_angle_rmse(reference, generated, everywhere, no_angle),
        grid_epe_mean=float(cells.mean()),
        grid_epe_max=float(cells.max()),
        fl_all=float(((masked > 3) & (masked > 0.05 * lengths[everywhere])).mean()),
        foe_dist=float(np.linalg.norm(foci[0] - foci[1])),
        flow_kl_2d=histogram_divergence(reference, generated, parity),
    )


def _counted(lengths: NDArray[np.float32], least: float, percentile: float) -> Mask:
    return np.asarray((lengths >= least) & (lengths <= np.percentile(lengths, percentile)))


def _mean_vectors(reference: NDArray[np.float32], generated: NDArray[np.float32], no_ratio: float) -> dict[str, float]:
    lengths = [float(np.linalg.norm(vector)) for vector in (reference, generated)]
    still = [length < _STILL_PX for length in lengths]
    if all(still):
        cosine, angle = 1.0, 0.0
    elif any(still):
        cosine, angle = 0.0, 90.0
    else:
        cosine = float(np.clip(np.dot(reference, generated) / (lengths[0] * lengths[1]), -1, 1))
        angle = float(np.degrees(np.arccos(cosine)))
    return {
        "mf_epe": float(np.linalg.norm(reference - generated)),
        "mf_angle_err": angle,
        "mf_cosine": cosine,
        "mf_mag_ratio": lengths[1] / lengths[0] if lengths[0] > 1e-6 else no_ratio,
    }


def _angle_rmse(reference: Flow, generated: Flow, counted: Mask, no_angle: float) -> float:
    pairs = reference[counted], generated[counted]
    lengths = [np.linalg.norm(vectors, axis=-1) for vectors in pairs]
    moving = (lengths[0] > _MOVING_PX) & (lengths[1] > _MOVING_PX)
    if not moving.any():
        return no_angle
    product = (pairs[0] * pairs[1]).sum(axis=-1)[moving]
    cosines = product / (lengths[0][moving] * lengths[1][moving] + np.float32(1e-8))
    angles = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
    return float(np.sqrt(np.square(angles).mean()))


def _cell_means(errors: NDArray[np.float32], counted: Mask, grid: int) -> NDArray[np.float64]:
    """Mean error of each cell: of the pixels that count, or of all where none does."""
    rows, columns = (side // grid for side in errors.shape)
    inside = slice(rows * grid), slice(columns * grid)

    def total(values: NDArray[np.floating]) -> NDArray[np.float64]:
        cells = values[inside].reshape(grid, rows, grid, columns)
        return np.asarray(cells.sum(axis=(1, 3), dtype=np.float64))

    counts = total(counted.astype(np.float32))
    plain = total(errors) / (rows * columns)
    return np.where(counts > 0, total(errors * counted) / np.maximum(counts, 1), plain)
