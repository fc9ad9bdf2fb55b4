# SPDX-License-Identifier: Apache-2.0
"""Parameters and outputs that all metrics of optical flow share, and the comparison of each pair of frames."""

from __future__ import annotations

import dataclasses
import math
from typing import Annotated, cast

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import NonNegativeFloat, Positive, doc, one_of
from fvhydra.metrics.base import Score, Skipped
from fvhydra.metrics.functional.optical_flow.comparison import Flow, FlowComparison, compare_flows
from fvhydra.metrics.functional.optical_flow.summary import summarise
from fvhydra.metrics.functional.parity import Parity
from fvhydra.metrics.spec import Direction, Output

_UNITS = {"mf_angle_err": "degrees", "px_angle_rmse": "degrees", "flow_kl_2d": "nats"} | dict.fromkeys(
    ("mf_cosine", "mf_mag_ratio", "fl_all"), "1"
)
_DIRECTIONS: dict[str, Direction] = {"mf_cosine": "higher", "mf_mag_ratio": "none"}
_MEASURES = [field.name for field in dataclasses.fields(FlowComparison)]


def _output(measure: str, name: str, **options: str) -> Output:
    return Output(name, _UNITS.get(measure, "px"), _DIRECTIONS.get(measure, "lower"), **options)  # type: ignore[arg-type]


OUTPUTS = (
    *(_output(measure, measure, per="pair") for measure in _MEASURES),
    *(_output(measure, f"{measure}_{rule}") for measure in _MEASURES for rule in ("mean", "std", "max", "auc")),
    Output("n_frames"),
    Output("divergence_onset_frame"),
    Output("divergence_threshold", "px"),
    Output("pixel_epe_of_diagonal", "diagonals of the frame", "lower"),
)


@dataclass
class FlowParams:
    """How fields are compared."""

    grid: Positive = doc("Cells a side", 8)
    min_magnitude_px: NonNegativeFloat = doc("Pixels that move less have no direction", 0.5)
    max_percentile: Annotated[float, Field(gt=0, le=100)] = doc("Pixels that move more are not counted", 80.0)
    parity: Annotated[str, one_of("upstream", "peer")] = doc(
        "upstream: both histograms of flow_kl_2d have the same bins, what is not defined has no value, lengths must "
        "agree, calibrations are scaled to the frames; peer: none of these, as in FastVideo",
        "upstream",
    )


class FlowPairs:
    """Compares fields as they come and sums up the clip."""

    def __init__(self, params: FlowParams) -> None:
        self._params = params
        self._pairs: list[FlowComparison] = []
        self._diagonal = 1.0

    def __len__(self) -> int:
        return len(self._pairs)

    def add(self, reference: Flow, generated: Flow) -> None:
        """The next pair of frames, float32 ``[H, W, 2]``.

        Raises:
            Skipped: The fields differ in size, are smaller than the grid, or are not finite.
        """
        if not (np.isfinite(reference).all() and np.isfinite(generated).all()):
            raise Skipped("nonfinite", f"the flow of pair {len(self)} is not finite")
        params = self._params
        try:
            pair = compare_flows(
                reference,
                generated,
                params.grid,
                params.min_magnitude_px,
                params.max_percentile,
                cast(Parity, params.parity),
            )
        except ValueError as error:
            raise Skipped("shape", str(error)) from error
        self._diagonal = math.hypot(*reference.shape[:2])
        self._pairs.append(pair)

    def score(self) -> Score:
        """The score of the clip; its value is the mean over the pairs of their mean end-point error.

        Raises:
            Skipped: There are no pairs.
        """
        if not self._pairs:
            raise Skipped("too_short", "there is no pair of frames to compare")
        summary = summarise(self._pairs)
        value = summary.values["pixel_epe_mean_mean"]
        outputs = {
            **{name: None if math.isnan(found) else found for name, found in summary.values.items()},
            "n_frames": summary.n_frames,
            "divergence_onset_frame": summary.divergence_onset_frame,
            "divergence_threshold": summary.divergence_threshold,
            "pixel_epe_of_diagonal": value / self._diagonal,
        }
        series = {name: np.asarray([getattr(pair, name) for pair in self._pairs]) for name in _MEASURES}
        return Score(value, outputs, series, frames=len(self) + 1)
