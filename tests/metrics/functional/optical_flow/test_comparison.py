# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import asdict, fields, replace
from typing import Any

import numpy as np
import pytest

from fvhydra.metrics.functional.optical_flow.comparison import FlowComparison, compare_flows
from fvhydra.metrics.functional.optical_flow.direction import focus_of_expansion, histogram_divergence
from fvhydra.metrics.functional.optical_flow.summary import summarise
from tests.metrics.golden import load, recipes

GOLDEN = load("flow_compare")
CASES = {case["name"]: case for case in GOLDEN["cases"]}
TOO_SMALL = "small_frame_6x6_grid_cells_empty"
MEASURES = [field.name for field in fields(FlowComparison)]


def flows(case: dict[str, Any]) -> list[Any]:
    sides = zip(("flow_gt", "flow_gen"), case["sha"], strict=True)
    return [recipes.checked(case[key], sha) for key, sha in sides]


def near(expected: dict[str, float]) -> Any:
    return pytest.approx(expected, rel=GOLDEN["tolerance"], abs=GOLDEN["tolerance"])


@pytest.mark.parametrize("name", [name for name in CASES if name != TOO_SMALL])
def test_recorded(name: str) -> None:
    reference, generated = flows(CASES[name])
    assert asdict(compare_flows(reference, generated, parity="peer")) == near(CASES[name]["metrics"])
    for flow, key in ((reference, "foe_gt"), (generated, "foe_gen")):
        assert focus_of_expansion(flow, "peer") == pytest.approx(CASES[name][key], abs=1e-4)
    assert histogram_divergence(generated, reference, "peer") == pytest.approx(
        CASES[name]["kl_gen_gt_reversed"], rel=1e-5
    )


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("grid4", {"grid": 4}), ("min_mag_2", {"min_magnitude_px": 2.0}), ("max_mag_pct_100", {"max_percentile": 100})],
)
def test_recorded_parameters(name: str, parameters: dict[str, Any]) -> None:
    found = compare_flows(*flows(CASES["large_outliers"]), **parameters, parity="peer")
    assert asdict(found) == near(GOLDEN["variants_large_outliers"][name])


@pytest.mark.parametrize("case", GOLDEN["aggregate"], ids=lambda case: case["name"])
def test_recorded_summary(case: dict[str, Any]) -> None:
    assert case["keys"] == MEASURES
    pairs = []
    for value in case["pixel_epe_mean_series"]:
        series = {name: value * (index + 1) / 5 for index, name in enumerate(MEASURES)}
        pairs.append(FlowComparison(**series | {"pixel_epe_mean": value}))
    if not pairs:
        assert case["summary"] == {"n_frames": 0}
        with pytest.raises(ValueError, match="at least one pair"):
            summarise(pairs)
        return
    found = summarise(pairs)
    onset, threshold = (case["summary"].pop(f"divergence_{key}") for key in ("onset_frame", "threshold"))
    assert found.values | {"n_frames": found.n_frames} == near(case["summary"])
    assert (found.divergence_onset_frame, found.divergence_threshold) == (onset, pytest.approx(threshold))


def test_equal_flows_are_ideal() -> None:
    flow = recipes.flow(40, 48, [["sine", 4, 20, 13]], noise_seed=1, noise_sigma=1.0)
    ideal = dict.fromkeys(MEASURES, 0.0) | {"mf_cosine": 1.0, "mf_mag_ratio": 1.0}
    found = compare_flows(flow, flow)
    assert found.px_angle_rmse == pytest.approx(0, abs=0.02)
    assert asdict(replace(found, px_angle_rmse=0.0)) == ideal


def test_what_is_not_defined_is_neither_0_nor_1() -> None:
    """A ratio to what stands still, an angle of what does not move: FastVideo has the best values there are."""
    still = np.zeros((40, 48, 2), np.float32)
    moving = recipes.flow(40, 48, [["uniform", 3, 0]])
    found, peer = compare_flows(still, moving), compare_flows(still, moving, parity="peer")
    undefined = ("mf_mag_ratio", "px_angle_rmse", "foe_dist", "flow_kl_2d")
    assert np.isnan([getattr(found, name) for name in undefined]).all()
    assert [getattr(peer, name) for name in undefined if name != "foe_dist"] == [1.0, 0.0, 0.0]
    assert np.isfinite(peer.foe_dist)
    both = compare_flows(moving, 2 * moving)
    assert both.mf_mag_ratio == pytest.approx(2)
    summary = summarise([found, both]).values
    assert (summary["mf_mag_ratio_mean"], summary["mf_mag_ratio_std"]) == (pytest.approx(2), 0.0)
    assert summary["pixel_epe_mean_mean"] == pytest.approx(3)
    assert np.isnan(summarise([found]).values["mf_mag_ratio_max"])


def test_it_grows_with_the_difference() -> None:
    flow = recipes.flow(40, 48, [["sine", 4, 20, 13], ["uniform", 1, 0]])
    found = [compare_flows(flow, flow + np.float32(size)) for size in (0.0, 0.3, 1.0, 4.0)]
    for name in ("mf_epe", "pixel_epe_mean", "pixel_epe_max", "px_angle_rmse", "grid_epe_mean", "grid_epe_max"):
        values = [getattr(each, name) for each in found]
        assert values == sorted(values), name
        assert values[-1] > values[0], name


def test_only_shared_bins_see_a_longer_flow() -> None:
    flow = recipes.flow(64, 64, [["expand", 0.1, 32, 32]])
    assert histogram_divergence(flow, 2 * flow, "peer") < 0.2 < histogram_divergence(flow, 2 * flow)
    assert histogram_divergence(flow, flow) == 0


def test_refuses_what_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="6x6 has no 8x8 cells"):
        compare_flows(*flows(CASES[TOO_SMALL]))
    flow = np.zeros((16, 16, 2), np.float32)
    for other in (flow[:8], flow[..., :1]):
        with pytest.raises(ValueError, match="of one shape"):
            compare_flows(flow, other)
