# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fvhydra.metrics.functional.vbench import recognition
from tests.metrics.golden import load
from tests.metrics.golden.encoders import encode

ACTIONS, CLIP = load("viclip_umt")["human_action"], load("clip_metrics")
CLASSES = [f"class {index}" for index in range(400)]


def logits(case: dict[str, Any]) -> Any:
    values = np.full(400, -10.0)
    for index, value in case["logits_nonbase"].items():
        values[int(index)] = value
    return values


@pytest.mark.parametrize("case", ACTIONS, ids=lambda case: case["name"])
def test_recorded_action(case: dict[str, Any]) -> None:
    found = recognition.human_action(logits(case), CLASSES, case["text_prompt"], parity="peer")
    assert found.score == case["score"]
    assert list(found.predictions) == case["details"]["predictions"]
    assert found.expected == case["details"]["ground_truth"]


def test_the_action_of_a_whole_prompt_is_found() -> None:
    [case] = [case for case in ACTIONS if case["name"] == "full_vbench_prompt"]
    assert recognition.human_action(logits(case), CLASSES, case["text_prompt"]).score == 1


def test_the_benchmark_rounds_probabilities() -> None:
    [case] = [case for case in ACTIONS if case["name"] == "just_below_0.84996"]
    assert recognition.human_action(logits(case), CLASSES, case["text_prompt"]).score == 1


@pytest.mark.parametrize("case", CLIP["cases"], ids=lambda case: case["name"])
def test_recorded_frames(case: dict[str, Any]) -> None:
    weight = np.random.RandomState(404).randn(1, 768).astype(np.float32)[0]
    found = recognition.aesthetic_quality(encode(case["video"], "clip", 403, 768), weight, 5.0)
    assert found == pytest.approx(case["aesthetic_quality"]["details"]["per_frame"], abs=CLIP["tolerance"])
    text = np.random.RandomState(406).randn(1, 16).astype(np.float32)[0]
    found = recognition.text_similarity(encode(case["video"], "clip", 405, 16), text)
    assert found == pytest.approx(case["appearance_style"]["details"]["per_frame"], abs=CLIP["tolerance"])
    assert found.mean() == pytest.approx(case["appearance_style"]["score"], abs=CLIP["tolerance"])


def test_similarity_of_features() -> None:
    text = np.asarray([1.0, 0.0], np.float32)
    frames = np.asarray([[2.0, 0.0], [1.0, 1.0], [0.0, 3.0], [-1.0, 0.0]], np.float32)
    assert recognition.text_similarity(frames, text) == pytest.approx([1, np.sqrt(0.5), 0, -1])


def test_aesthetic_head() -> None:
    features = np.asarray([[3.0, 4.0], [30.0, 40.0]], np.float32)
    weight = np.asarray([1.0, 2.0], np.float32)
    assert recognition.aesthetic_quality(features, weight, 5.0) == pytest.approx([(0.6 + 1.6 + 5) / 10] * 2)


def test_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match=r"\[T, D\] and \[D\]"):
        recognition.text_similarity(np.zeros((2, 3)), np.zeros(4))
    with pytest.raises(ValueError, match="no direction"):
        recognition.text_similarity(np.ones((2, 3)), np.zeros(3))
    with pytest.raises(ValueError, match="400 classes"):
        recognition.human_action(np.zeros(7), CLASSES, "class 7")
