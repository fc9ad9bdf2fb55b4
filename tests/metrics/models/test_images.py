# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fvhydra.metrics.models import clip, dino, images
from tests.metrics.golden import load, recipes
from tests.metrics.golden.captured import assert_captured

CONSISTENCY, CLIP = load("consistency")["cases"], load("clip_metrics")["cases"]


def frames_of(case: dict[str, Any]) -> images.Frames:
    return recipes.clip(recipes.checked(case["video"], case["sha"]))


@pytest.mark.parametrize("case", CONSISTENCY, ids=lambda case: case["name"])
def test_dino_is_shown_what_was_recorded(case: dict[str, Any]) -> None:
    assert_captured(dino.preprocess(frames_of(case)), case["subject"]["captured"])


@pytest.mark.parametrize("case", CLIP, ids=lambda case: case["name"])
def test_clip_is_shown_what_was_recorded(case: dict[str, Any]) -> None:
    assert_captured(clip.preprocess(frames_of(case)), case["aesthetic_quality"]["captured"])


def test_every_value_of_a_byte_survives() -> None:
    ramp = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    back = (images.to_tensor(ramp) * 255).byte().permute(0, 2, 3, 1).numpy()
    assert np.array_equal(back, ramp)


@pytest.mark.parametrize(("size", "expected"), [((90, 150), (224, 373)), ((150, 90), (373, 224)), ((5, 5), (224, 224))])
def test_whole_pixels_are_cut_off(size: tuple[int, int], expected: tuple[int, int]) -> None:
    frames = np.zeros((1, *size, 3), np.uint8)
    assert images.resize_short(images.to_tensor(frames), 224, "bilinear").shape[-2:] == expected


def test_half_a_pixel_of_a_crop_rounds_to_even() -> None:
    columns = images.to_tensor(np.tile(np.arange(9, dtype=np.uint8)[:, None], (1, 4, 1, 3)))
    assert (images.center_crop(columns, 4)[0, 0, 0] * 255).round().tolist() == [2, 3, 4, 5]  # 2.5 is 2


@pytest.mark.parametrize(("memory_mb", "sizes"), [(1, [1] * 7), (20, [2, 2, 2, 1]), (1000, [7])])
def test_batches_stay_within_the_memory(memory_mb: int, sizes: list[int]) -> None:
    frames = np.arange(7, dtype=np.uint8)
    parts = list(images.batches(frames, 10, memory_mb))
    assert [len(part) for part in parts] == sizes
    assert np.concatenate(parts).tolist() == frames.tolist()
