# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fvhydra.metrics.functional.optical_flow.camera import (
    Calibration,
    CameraMotion,
    camera_motion,
    flow_at,
    integrated_pitch,
    pitched,
    reference_flows,
)
from fvhydra.metrics.functional.optical_flow.comparison import compare_flows
from fvhydra.metrics.functional.optical_flow.summary import FlowSummary, summarise
from tests.metrics.golden import load, recipes

GOLDEN, END_TO_END = load("synthetic_flow"), load("synthetic_flow_end_to_end")
CALIBRATIONS = {name: Calibration.of(values) for name, values in GOLDEN["calibrations"].items()}


def motion(actions: Any, calibration: Calibration, **options: Any) -> CameraMotion:
    return camera_motion(actions["keyboard"], actions["mouse"], calibration, **options)


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"{case['calibration']}-{case['H']}")
def test_recorded_flows(case: dict[str, Any]) -> None:
    calibration = CALIBRATIONS[case["calibration"]]
    found = motion(recipes.build(case["actions"]), calibration, pitch_sign=case["mouse_pitch_sign"])
    pairs = case["n_flows"]
    assert found.rotation[:pairs] == pytest.approx(np.asarray(case["omega"]), rel=1e-9)
    assert found.translation[:pairs] == pytest.approx(np.asarray(case["T_total"]), rel=1e-9)
    flows = reference_flows(found, calibration.focal_length, case["H"], case["W"])[:pairs]
    assert str(flows.dtype) == case["dtype"]
    rows, columns = np.asarray(case["points_yx"]).T
    tolerance = {"rel": GOLDEN["tolerance_rel"], "abs": 1e-6}
    assert flows[:, rows, columns] == pytest.approx(np.asarray(case["flow_at_points"]), **tolerance)
    assert flows.mean(axis=(1, 2)) == pytest.approx(np.asarray(case["flow_mean"]), rel=1e-4, abs=1e-5)
    assert np.abs(flows).mean(axis=(1, 2, 3)) == pytest.approx(np.asarray(case["flow_absmean"]), rel=1e-5)


def test_recorded_points() -> None:
    case = GOLDEN["at_pixels"]
    calibration, actions = CALIBRATIONS[case["calibration"]], recipes.build(case["actions"])
    points = np.asarray(case["xs_centered"]), np.asarray(case["ys_centered"])
    stateless = motion(actions, calibration, pitch_sign=case["mouse_pitch_sign_stateless"])
    flows = flow_at(stateless, calibration.focal_length, *points)
    assert flows == pytest.approx(np.asarray(case["stateless"]), rel=1e-5)
    inclined = pitched(motion(actions, calibration, orbit=False), np.asarray(case["theta_pitch"]))
    flows = flow_at(inclined, calibration.focal_length, *points)
    assert flows == pytest.approx(np.asarray(case["stateful"]), rel=1e-5)
    turned = integrated_pitch(actions["mouse"], calibration, frames_per_step=2)
    assert turned == pytest.approx(case["integrated_pitch_frames_per_step_2"], rel=1e-9)


def assert_recorded(summary: FlowSummary, details: dict[str, Any]) -> None:
    numbers = {"n_frames": summary.n_frames, "divergence_threshold": summary.divergence_threshold}
    expected = {name: value for name, value in details.items() if name != "divergence_onset_frame"}
    assert summary.values | numbers == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert summary.divergence_onset_frame == details["divergence_onset_frame"]


@pytest.mark.parametrize(("key", "frames"), [("result", 6), ("actions_shorter_T4", 4)])
def test_recorded_from_actions_to_score(key: str, frames: int) -> None:
    calibration = Calibration.of(END_TO_END["calibration"])
    actions = recipes.build(END_TO_END["actions"] | {"T": frames})
    observed = [recipes.build(recipe) for recipe in END_TO_END["observed_flows"]]
    references = reference_flows(motion(actions, calibration), calibration.focal_length, 24, 32)
    pairs = zip(references[: frames - 1], observed, strict=False)
    expected = END_TO_END[key]
    found = summarise([compare_flows(*pair, parity="peer") for pair in pairs])
    assert_recorded(found, expected["details"])
    assert found.values["pixel_epe_mean_mean"] == pytest.approx(expected["score"], rel=1e-5)


def test_recorded_against_a_reference_video() -> None:
    expected = END_TO_END["gt_metric"]
    reference = recipes.build(expected["ref_flows"])
    observed = [recipes.build(recipe) for recipe in END_TO_END["observed_flows"]]
    found = summarise([compare_flows(reference, flow, parity="peer") for flow in observed])
    assert_recorded(found, expected["result"]["details"])


def test_signs() -> None:
    calibration = Calibration(1, 1, 1, 1, 1, focal_length=100)
    still, keys = np.zeros((1, 2)), np.eye(6)
    x, y = np.asarray([10.0]), np.asarray([5.0])

    def flow(key: int) -> list[float]:
        found = flow_at(camera_motion(keys[key : key + 1], still, calibration), 100, x, y)
        return [float(value) for value in found[0, 0]]

    assert flow(0) == [10, 5]  # forward: away from the centre
    assert flow(1) == [-10, -5]
    assert flow(3) == [-100, 0]  # to the right: all moves left
    assert flow(5)[0] < 0 < flow(4)[0]  # and so it does when turning right
    rolling = CameraMotion(np.asarray([[0.0, 0.0, 1.0]]), np.zeros((1, 3)))
    assert flow_at(rolling, 100, x, y)[0, 0].tolist() == [5, -10]


def test_a_calibration_fits_its_shape() -> None:
    fitted = CALIBRATIONS["worldmodel"]
    assert fitted.at(704, 1280).focal_length == pytest.approx(2 * 457)
    assert CALIBRATIONS["orbit"].at(17, 23) == CALIBRATIONS["orbit"]
    with pytest.raises(ValueError, match="352x640, not of the shape of 480x480"):
        fitted.at(480, 480)


def test_refuses_what_it_cannot_read() -> None:
    calibration = CALIBRATIONS["orbit"]
    with pytest.raises(ValueError, match="lacks alpha_yaw, beta_strafe"):
        Calibration.of({"alpha_pitch": 1, "alpha_turn": 1, "beta_fwd": 1, "focal_length": 1})
    with pytest.raises(ValueError, match="keyboard"):
        camera_motion(np.zeros((3, 2)), np.zeros((3, 2)), calibration)
    with pytest.raises(ValueError, match="1 or -1"):
        camera_motion(np.zeros((3, 4)), np.zeros((3, 2)), calibration, pitch_sign=0)
    with pytest.raises(ValueError, match="as many pitches"):
        pitched(camera_motion(np.zeros((3, 4)), np.zeros((3, 2)), calibration), np.zeros(2))
