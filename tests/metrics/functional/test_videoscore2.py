# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import re
from typing import Any

import numpy as np
import pytest

from fvhydra.metrics.functional import videoscore2
from tests.metrics.golden import load

GOLDEN = load("videoscore2")


def recorded_probabilities(text: str) -> list[Any]:
    """The probabilities of the five marks at every character, as they were drawn; -10 for all other characters."""
    random = np.random.RandomState(501)
    found = []
    for character in text:
        logits = random.randn(5)
        if character.isdigit() and "1" <= character <= "5":
            logits[int(character) - 1] = 2.0
        found.append(np.exp(logits))
    return found


@pytest.mark.parametrize("name", GOLDEN["parse"])
def test_recorded_marks(name: str) -> None:
    case = GOLDEN["parse"][name]
    found = videoscore2.parse_marks(case["text"])
    expected = {dimension: case["hard_only"][f"{dimension}_hard"] for dimension in videoscore2.DIMENSIONS}
    assert found == (None if None in expected.values() else expected)


def test_recorded_confidence() -> None:
    text = GOLDEN["parse"]["listed"]["text"]
    probabilities = recorded_probabilities(text)
    places = videoscore2.mark_places(text)
    assert places and places["visual_quality"] == GOLDEN["parse"]["listed"]["token_index_(1)"]
    for dimension, place in places.items():
        mark = videoscore2.confident_mark(probabilities[place])
        assert mark == pytest.approx(GOLDEN["parse"]["listed"]["soft"][dimension], abs=1e-4)


@pytest.mark.parametrize("name", GOLDEN["subsample"])
def test_recorded_sampling(name: str) -> None:
    found = re.fullmatch(r"n(\d+)_(\d+)x(\d+)_fps([\d.]+|None)", name)
    assert found
    expected = GOLDEN["subsample"][name]
    frames = videoscore2.sampled_frames(int(found[1]), None if found[4] == "None" else float(found[4]))
    assert (len(frames), frames) == (expected["count"], expected["indices"])
    assert videoscore2.shown_size(int(found[3]), int(found[2])) == tuple(expected["size"][::-1])


def test_marks_under_certainty_and_doubt() -> None:
    sure, unsure = np.asarray([0, 0, 0, 0, 2.0]), np.asarray([0, 0, 0.6, 0.4, 0])
    assert videoscore2.confident_mark(sure) == videoscore2.expected_mark(sure) == 5
    assert videoscore2.confident_mark(unsure) == 1.8
    assert videoscore2.expected_mark(unsure) == pytest.approx(3.4)


def test_refuses_what_are_no_probabilities() -> None:
    for bad in (np.zeros(5), np.ones(4), np.asarray([-1, 1, 1, 1, 1.0])):
        with pytest.raises(ValueError, match="probabilities"):
            videoscore2.confident_mark(bad)
    with pytest.raises(ValueError, match="one frame"):
        videoscore2.sampled_frames(0, 24)


def test_the_question_is_the_checkpoints_own() -> None:
    """FastVideo's copy, whose hash is recorded, lacks the spaces at the ends of two lines."""
    copied = re.sub(" +\n", "\n", videoscore2.QUESTION.replace("{prompt}", "$t2v_prompt"))
    assert hashlib.sha256(copied.encode()).hexdigest()[:16] == GOLDEN["prompt_template_sha256"]
    assert videoscore2.QUESTION.count("; \n") == videoscore2.QUESTION.count(">, \n") == 1
