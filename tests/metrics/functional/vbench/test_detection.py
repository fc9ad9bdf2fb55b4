# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from fvhydra.metrics.functional.vbench import detection
from fvhydra.metrics.functional.vbench.detection import Detection, Frame
from tests.metrics.golden import load

GOLDEN = load("grit_metrics")


def frames(cycle: list[Any]) -> list[Frame]:
    """Sixteen frames that repeat the recorded detections."""
    recorded = [cycle[index % len(cycle)] for index in range(GOLDEN["frames_sampled"])]
    return [
        Frame([Detection(text, tuple(box)) for text, box, _ in found], found[0][2] if found else [])
        for found in recorded
    ]


FRAMES, SPATIAL = frames(GOLDEN["detections_cycle"]), frames(GOLDEN["spatial_detections_cycle"])


@pytest.mark.parametrize("measure", [detection.object_class, detection.multiple_objects])
def test_recorded_objects(measure: Any) -> None:
    for names, expected in GOLDEN["results"][measure.__name__].items():
        if expected["score"] is None:
            with pytest.raises(ValueError, match="object"):
                measure(FRAMES, names)
        else:
            assert measure(FRAMES, names) == expected["score"]


@pytest.mark.parametrize("key", GOLDEN["results"]["color"])
def test_recorded_colour(key: str) -> None:
    expected = GOLDEN["results"]["color"][key]
    found = detection.color(FRAMES, *key.split("|"), parity="peer")
    assert found == detection.Colour(expected["score"], **expected["details"])


def test_a_clip_without_the_object_has_no_score() -> None:
    assert detection.color(FRAMES, "red", "a red car").score is None


@pytest.mark.parametrize("relation", GOLDEN["spatial"])
def test_recorded_relationship(relation: str) -> None:
    expected = GOLDEN["spatial"][relation]
    scores = detection.spatial_relationship(SPATIAL, "bicycle", "car", relation)
    assert scores == pytest.approx(expected["details"]["per_frame"])
    assert sum(scores) / len(scores) == pytest.approx(expected["score"])


@pytest.mark.parametrize("case", GOLDEN["position_score"], ids=str)
def test_recorded_position(case: dict[str, Any]) -> None:
    assert detection.position_score(case["a"], case["b"], case["relation"]) == pytest.approx(case["score"])


def test_the_further_they_overlap_the_less() -> None:
    scores = [detection.position_score((0, 0, 10, 10), (x, 0, x + 10, 10), "on the left of") for x in (12, 7, 5, 2)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == 1


def test_refuses_what_it_cannot_judge() -> None:
    with pytest.raises(ValueError, match="left, right, top, bottom"):
        detection.position_score((0, 0, 1, 1), (2, 0, 3, 1), "behind")
    with pytest.raises(ValueError, match="frames to count"):
        detection.object_class([], "bicycle")
