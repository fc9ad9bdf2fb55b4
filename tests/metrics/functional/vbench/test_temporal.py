# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fvhydra.metrics.functional.vbench import temporal
from tests.metrics.golden import load, recipes
from tests.metrics.golden.encoders import encode
from tests.metrics.mutations import PICTURES
from tests.similarity.conftest import textured

FLICKERING, MOTION, CONSISTENCY = load("temporal_flickering"), load("motion_dynamic"), load("consistency")


@pytest.mark.parametrize("case", FLICKERING["cases"], ids=lambda case: case["name"])
def test_recorded_flickering(case: dict[str, Any]) -> None:
    differences = temporal.frame_differences(recipes.clip(recipes.checked(case["video"], case["sha"])))
    assert differences == pytest.approx(case["details"].get("per_pair_mae", []), rel=2e-6)
    score = temporal.temporal_flickering(differences, parity="peer")
    assert score == pytest.approx(case["score"], abs=FLICKERING["tolerance"])


def test_flickering_sees_noise_and_not_a_still_clip() -> None:
    clip = textured(6, 32, 40)
    still, noisy = PICTURES["freeze"](clip), PICTURES["noise"](clip)
    scores = [temporal.temporal_flickering(temporal.frame_differences(each)) for each in (noisy, clip, still)]
    assert scores == sorted(scores)
    assert scores[-1] == 1


def test_flickering_in_chunks() -> None:
    clip = textured(6, 32, 40)
    chunks = [temporal.frame_differences(clip[part]) for part in (slice(0, 3), slice(2, 6))]
    assert np.concatenate(chunks).tolist() == temporal.frame_differences(clip).tolist()


def average(before: NDArray[Any], after: NDArray[Any]) -> NDArray[Any]:
    """What stood for the interpolating network when the values were recorded."""
    return (before.astype(np.float32) / np.float32(255) + after.astype(np.float32) / np.float32(255)) / 2


@pytest.mark.parametrize("case", MOTION["motion_smoothness"], ids=lambda case: case["name"])
def test_recorded_smoothness(case: dict[str, Any]) -> None:
    clip = recipes.clip(recipes.build(case["video"]))
    triples = zip(clip[:-2:2], clip[1:-1:2], clip[2::2], strict=True)
    differences = np.asarray(
        [temporal.interpolation_difference(average(before, after), frame) for before, frame, after in triples]
    )
    score = temporal.motion_smoothness(differences, parity="peer")
    assert score == pytest.approx(case["score"], abs=MOTION["tolerance"])


def flow_stub(case: dict[str, Any], before: NDArray[Any], after: NDArray[Any]) -> NDArray[Any]:
    """What stood for the flow network: of the colours, or so many pixels in the top tenth of the padded frame."""
    height, width = before.shape[:2]
    rows, columns = -height % 8, -width % 8
    padding = ((rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2), (0, 0))
    before, after = (np.pad(frame.astype(np.float32), padding, mode="edge") for frame in (before, after))
    if case["flow"] == "diff":
        return np.stack([(after - before).mean(-1) / 4, before.mean(-1) / 64], -1)
    flow = np.zeros((*before.shape[:2], 2), np.float32)
    flow[: before.shape[0] // 10, :, 0] = case["flow"]
    return flow


@pytest.mark.parametrize("case", MOTION["dynamic_degree"], ids=lambda case: case["name"])
def test_recorded_dynamic_degree(case: dict[str, Any]) -> None:
    clip, expected = recipes.clip(recipes.build(case["video"])), case["details"]
    assert temporal.dynamic_stride(case["fps"]) == expected["interval"]
    taken = clip[:: expected["interval"]]
    assert len(taken) == expected["n_frames_used"]
    magnitudes = [temporal.flow_magnitude(flow_stub(case, *pair)) for pair in itertools.pairwise(taken)]
    assert magnitudes == pytest.approx(expected["per_pair_magnitude"], rel=1e-5)
    found = temporal.dynamic_degree(magnitudes, *clip.shape[1:3], len(taken), parity="peer")
    assert found == temporal.DynamicDegree(
        case["score"], expected["threshold"], expected["count_above"], expected["count_needed"]
    )


def test_a_still_clip_has_no_degree_of_motion() -> None:
    assert temporal.dynamic_degree([0.0] * 15, 256, 256, 16).score == 0
    assert temporal.dynamic_degree([7.0] * 15, 256, 256, 16).score == 1
    assert temporal.dynamic_degree([], 256, 256, 1).score == 0


@pytest.mark.parametrize("name", CONSISTENCY["score_only"])
def test_recorded_consistency(name: str) -> None:
    case = CONSISTENCY["score_only"][name]
    terms = temporal.consistency_terms(np.asarray(case["features"], np.float32))
    assert temporal.consistency(terms, parity="peer") == pytest.approx(case["score"], abs=1e-6)


@pytest.mark.parametrize("case", CONSISTENCY["cases"], ids=lambda case: case["name"])
@pytest.mark.parametrize(("part", "network"), [("subject", "dino"), ("background", "clip")])
def test_recorded_consistency_of_frames(case: dict[str, Any], part: str, network: Any) -> None:
    expected = case[part]
    terms = temporal.consistency_terms(encode(case["video"], network, expected["probe_seed"], expected["D"]))
    assert temporal.consistency(terms) == pytest.approx(expected["score"], abs=CONSISTENCY["tolerance"])


def test_consistency_falls_with_the_angle() -> None:
    angles = np.linspace(0, np.pi / 2, 5)[:, None] * np.arange(4)
    scores = [temporal.consistency(temporal.consistency_terms(np.stack([np.cos(a), np.sin(a)], -1))) for a in angles]
    assert scores[0] == pytest.approx(1)
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("measure", [temporal.temporal_flickering, temporal.motion_smoothness, temporal.consistency])
def test_too_short_is_no_score(measure: Any) -> None:
    with pytest.raises(ValueError, match="too short"):
        measure(np.zeros(0))


def test_refuses_what_it_cannot_read() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        temporal.interpolation_difference(np.zeros((4, 4, 3)), np.zeros((4, 5, 3), np.uint8))
    with pytest.raises(ValueError, match="above 0"):
        temporal.dynamic_stride(0)
    with pytest.raises(ValueError, match=r"\[H, W, 2\]"):
        temporal.flow_magnitude(np.zeros((30, 30)))
    with pytest.raises(ValueError, match=r"\[T, D\]"):
        temporal.consistency_terms(np.zeros(4))
    with pytest.raises(ValueError, match="no direction"):
        temporal.consistency_terms(np.zeros((2, 4)))
