# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

import numpy as np
import pytest

from fvhydra.metrics.functional.audio.desync import SEGMENTS, desync, resampled_frames, segment_counts
from tests.metrics.golden import load

GOLDEN = load("desync")


def peaked(index: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    logits = np.zeros(21, np.float32)
    logits[index] = 5
    return logits


@pytest.mark.parametrize("name", GOLDEN["resample"])
def test_recorded_frames(name: str) -> None:
    found = re.fullmatch(r"T(\d+)_fps([\d.]+)", name)
    assert found
    assert resampled_frames(int(found[1]), float(found[2])) == GOLDEN["resample"][name]


def test_recorded_segments() -> None:
    for frames, shape in GOLDEN["segments"].items():
        expected = 0 if isinstance(shape, dict) else shape[0]
        assert segment_counts(int(frames), 0)[0] == expected
    assert segment_counts(0, 6 * 16_000)[1] == GOLDEN["audio_features"]["shape_B_S_1_F_T"][1]
    assert segment_counts(120, 76_800) == (SEGMENTS, SEGMENTS)


def test_recorded_offset() -> None:
    expected = GOLDEN["end_to_end_want_10_13"]
    found = desync(peaked(10), peaked(13))
    assert found.score == pytest.approx(expected["score"], abs=1e-6)
    assert [found.front_desync_s, found.back_desync_s] == pytest.approx(
        [expected["details"]["front_desync_s"], expected["details"]["back_desync_s"]], abs=1e-6
    )
    grid = [desync(peaked(index), peaked(10)).front_desync_s for index in range(21)]
    assert grid == pytest.approx(GOLDEN["grid"], abs=1e-6)


def test_it_grows_with_the_offset_either_way() -> None:
    scores = [desync(peaked(10 + step), peaked(10 - step)).score for step in range(11)]
    assert scores == sorted(scores)
    assert [scores[0], scores[-1]] == [0, 2]


def test_refuses_what_it_cannot_read() -> None:
    with pytest.raises(ValueError, match=r"\[21\]"):
        desync(np.zeros(20), np.zeros(21))
    for frames, fps in ((0, 24.0), (10, 0.0)):
        with pytest.raises(ValueError, match="frame rate above 0"):
            resampled_frames(frames, fps)
