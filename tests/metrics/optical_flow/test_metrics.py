# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fvhydra.metrics.base import Score
from fvhydra.metrics.functional.optical_flow import camera, comparison
from fvhydra.metrics.optical_flow.pairs import OUTPUTS
from tests.metrics.golden import load, recipes
from tests.metrics.running import make, score, skips
from tests.similarity.conftest import textured

GOLDEN, PAIRS = load("synthetic_flow_end_to_end"), load("flow_compare")
OBSERVED = np.stack([recipes.build(recipe) for recipe in GOLDEN["observed_flows"]])
CALIBRATION = GOLDEN["calibration"]


def saved(folder: Path, name: str, flows: Any) -> Path:
    path = folder / f"{name}.npy"
    np.save(path, flows)
    return path


def actions(frames: int) -> dict[str, Any]:
    return {name: values.tolist() for name, values in recipes.build(GOLDEN["actions"] | {"T": frames}).items()}


def assert_recorded(found: Score, expected: dict[str, Any]) -> None:
    assert found.value == pytest.approx(expected["score"], rel=1e-5)
    details = dict(expected["details"])
    onset = details.pop("divergence_onset_frame")
    details = {name: value for name, value in details.items() if isinstance(value, int | float)}
    assert found.outputs["divergence_onset_frame"] == onset
    assert {name: found.outputs[name] for name in details} == pytest.approx(details, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(("key", "frames"), [("result", 6), ("actions_shorter_T4", 4)])
def test_recorded_from_actions_to_score(key: str, frames: int, tmp_path: Path) -> None:
    keys = {"flow": saved(tmp_path, "flow", OBSERVED), "actions": actions(frames), "calibration": CALIBRATION}
    found = score(make("optical_flow.synthetic_optical_flow", parity="peer"), keys)
    assert_recorded(found, GOLDEN[key])


def test_recorded_against_a_reference(tmp_path: Path) -> None:
    reference = np.repeat(recipes.build(GOLDEN["gt_metric"]["ref_flows"])[None], len(OBSERVED), axis=0)
    keys = {"flow": saved(tmp_path, "a", OBSERVED), "reference_flow": saved(tmp_path, "b", reference)}
    assert_recorded(score(make("optical_flow.gt_optical_flow", parity="peer"), keys), GOLDEN["gt_metric"]["result"])


@pytest.mark.parametrize("case", PAIRS["cases"], ids=lambda case: case["name"])
def test_series_are_the_pairs(case: dict[str, Any], tmp_path: Path) -> None:
    flows = [recipes.build(case[key])[None] for key in ("flow_gt", "flow_gen")]
    keys = {"reference_flow": saved(tmp_path, "gt", flows[0]), "flow": saved(tmp_path, "gen", flows[1])}
    if min(flows[0].shape[1:3]) < 8:
        with skips("shape", "no 8x8 cells"):
            score(make("optical_flow.gt_optical_flow"), keys)
        return
    found = score(make("optical_flow.gt_optical_flow"), keys)
    expected = vars(comparison.compare_flows(flows[0][0], flows[1][0]))
    for name, values in found.series.items():
        np.testing.assert_array_equal(values, [expected[name]])
        mean = found.outputs[f"{name}_mean"]
        assert mean == (None if np.isnan(expected[name]) else pytest.approx(expected[name]))


def test_everything_that_comes_out_is_declared(tmp_path: Path) -> None:
    keys = {"flow": saved(tmp_path, "a", OBSERVED), "reference_flow": saved(tmp_path, "b", OBSERVED)}
    found = score(make("optical_flow.gt_optical_flow"), keys)
    assert {output.name for output in OUTPUTS if output.per == "clip"} == set(found.outputs)
    assert {output.name for output in OUTPUTS if output.per == "pair"} == set(found.series)
    assert found.value == 0
    assert found.frames == len(OBSERVED) + 1


def test_lengths_must_agree(tmp_path: Path) -> None:
    keys = {"flow": saved(tmp_path, "a", OBSERVED), "reference_flow": saved(tmp_path, "b", OBSERVED[:3])}
    with skips("shape", "5 and 3"):
        score(make("optical_flow.gt_optical_flow"), keys)
    assert score(make("optical_flow.gt_optical_flow", parity="peer"), keys).outputs["n_frames"] == 3
    keys |= {"actions": actions(4), "calibration": CALIBRATION}
    with skips("shape", "6 frames need 5 or 6 actions, not 4"):
        score(make("optical_flow.synthetic_optical_flow"), keys)


@pytest.mark.parametrize("count", [5, 6])
def test_an_action_a_pair_or_a_frame(count: int, tmp_path: Path) -> None:
    keys = {"flow": saved(tmp_path, "a", OBSERVED), "actions": actions(count), "calibration": CALIBRATION}
    assert score(make("optical_flow.synthetic_optical_flow"), keys).outputs["n_frames"] == 5


def test_a_calibration_is_scaled_to_the_frames(tmp_path: Path) -> None:
    fitted = CALIBRATION | {"frame_shape": [48, 64], "focal_length": 120.0}
    keys = {"flow": saved(tmp_path, "a", OBSERVED), "actions": actions(6)}
    for parity, half in (("upstream", 60.0), ("peer", 120.0)):
        metric = make("optical_flow.synthetic_optical_flow", parity=parity)
        found = score(metric, keys | {"calibration": fitted})
        assert found.value == score(metric, keys | {"calibration": CALIBRATION | {"focal_length": half}}).value
    with skips("shape", "48x96"):
        wide = CALIBRATION | {"frame_shape": [48, 96]}
        score(make("optical_flow.synthetic_optical_flow"), keys | {"calibration": wide})


def test_files_in_the_place_of_values(tmp_path: Path) -> None:
    files = {"actions": tmp_path / "actions.json", "calibration": tmp_path / "calibration.json"}
    values = {"actions": actions(6), "calibration": CALIBRATION}
    for name, path in files.items():
        path.write_text(json.dumps(values[name]))
    np.savez(tmp_path / "flow.npz", flow=OBSERVED.astype(np.float64))
    keys = {"flow": saved(tmp_path, "a", OBSERVED)}
    metric = make("optical_flow.synthetic_optical_flow")
    expected = score(metric, keys | values)
    assert score(metric, {"flow": tmp_path / "flow.npz"} | files).value == expected.value


def test_what_is_no_flow(tmp_path: Path) -> None:
    good = saved(tmp_path, "good", OBSERVED)
    (tmp_path / "text.npy").write_text("no array")
    np.savez(tmp_path / "other.npz", flows=OBSERVED)
    broken = OBSERVED.copy()
    broken[2, 0, 0] = np.nan
    metric = make("optical_flow.gt_optical_flow")
    for path, code, reason in [
        (tmp_path / "text.npy", "unreadable", "text.npy"),
        (tmp_path / "other.npz", "unreadable", "flow"),
        (saved(tmp_path, "flat", OBSERVED[..., 0]), "shape", "[5, 24, 32]"),
        (saved(tmp_path, "whole", OBSERVED.astype(np.int32)), "shape", "int32"),
        (saved(tmp_path, "nan", broken), "nonfinite", "pair 2"),
        (saved(tmp_path, "none", OBSERVED[:0]), "shape", "0 and 5"),
    ]:
        with skips(code, reason):
            score(metric, {"flow": path, "reference_flow": good})
    with skips("too_short"):
        score(metric, {"flow": tmp_path / "none.npy", "reference_flow": tmp_path / "none.npy"})


@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        ({"actions": {"keyboard": [[0] * 6]}}, "missing_input", "mouse"),
        ({"actions": {"keyboard": [[0] * 6], "mouse": [[0] * 3]}}, "shape", "mouse [N, 2]"),
        ({"actions": [1, 2]}, "shape", "list"),
        ({"calibration": {"alpha_yaw": 1}}, "shape", "lacks alpha_pitch"),
        ({"calibration": CALIBRATION | {"focal_length": None}}, "shape", "focal_length must be numbers"),
        ({"calibration": CALIBRATION | {"focal_length": 0}}, "shape", "above 0"),
        ({"mouse_pitch_sign": 2}, "shape", "1 or -1"),
    ],
)
def test_what_are_no_controls(change: dict[str, Any], code: str, reason: str, tmp_path: Path) -> None:
    keys = {"flow": saved(tmp_path, "a", OBSERVED), "actions": actions(6), "calibration": CALIBRATION}
    with skips(code, reason):
        score(make("optical_flow.synthetic_optical_flow"), keys | change)


def drifting(frames: int, step: int) -> Any:
    wide = textured(1, 48, 64 + frames * abs(step))[0]
    return np.stack([wide[:, index * step : index * step + 64] for index in range(frames)])


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_dis_sees_a_drift(chunk: int) -> None:
    metric = make("optical_flow.gt_dis")
    found = score(metric, chunk=chunk, video=drifting(6, 2), reference=drifting(6, 1))
    assert found.value == pytest.approx(1.0, abs=0.2)
    assert found.outputs["n_frames"] == 5
    assert found.series["pixel_epe_mean"].tolist() == (
        score(metric, chunk=6, video=drifting(6, 2), reference=drifting(6, 1)).series["pixel_epe_mean"].tolist()
    )
    with skips("shape", "16x16"):
        score(metric, video=drifting(3, 1)[:, :12], reference=drifting(3, 1)[:, :12])
    with skips("too_short"):
        score(metric, video=drifting(1, 1), reference=drifting(1, 1))


@pytest.mark.parametrize(("parity", "pairs"), [("upstream", 5), ("peer", 4)])
def test_dis_against_controls(parity: str, pairs: int) -> None:
    # one unit of strafing moves everything by focal_length * beta_strafe = 2 px to the left, as the clip drifts
    calibration = dict.fromkeys(("alpha_yaw", "alpha_pitch", "alpha_turn", "beta_fwd"), 0.0)
    calibration |= {"beta_strafe": 0.02, "focal_length": 100.0}
    keyboard = np.zeros((5, 6))
    keyboard[:, 3] = 1
    keys = {"actions": {"keyboard": keyboard.tolist(), "mouse": [[0, 0]] * 5}, "calibration": calibration}
    metric = make("optical_flow.synthetic_dis", parity=parity)
    found = score(metric, keys, video=drifting(6, 2), chunk=4)
    assert found.outputs["n_frames"] == pairs
    assert found.value == pytest.approx(0, abs=0.3)
    keyboard[:, [2, 3]] = keyboard[:, [3, 2]]
    keys["actions"]["keyboard"] = keyboard.tolist()
    assert score(metric, keys, video=drifting(6, 2)).value == pytest.approx(4, abs=0.3)


def test_the_reference_is_made_for_each_pair(tmp_path: Path) -> None:
    motion = camera.camera_motion(
        *(np.asarray(each) for each in actions(6).values()), camera.Calibration.of(CALIBRATION)
    )
    whole = camera.reference_flows(motion, CALIBRATION["focal_length"], 24, 32)[:5]
    keys = {"flow": saved(tmp_path, "a", whole), "actions": actions(6), "calibration": CALIBRATION}
    assert score(make("optical_flow.synthetic_optical_flow"), keys).value == 0
