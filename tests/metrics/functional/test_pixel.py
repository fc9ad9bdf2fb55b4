# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fvhydra.metrics.functional import pixel
from tests.metrics.golden import load, recipes
from tests.metrics.mutations import PICTURES
from tests.similarity import formulas
from tests.similarity.conftest import textured

GOLDEN = load("common_pixel")
FLOAT32_NOISE = {("constant_colours", "ssim"): 1.1e-5}
"""What the recorded program's float32 loses on flat, bright frames; test_the_formula holds ours to float64 there."""

Clip = NDArray[np.uint8]


def pair(case: dict[str, Any]) -> tuple[Clip, Clip]:
    """Both clips, cut to the shorter one as the recorded program does."""
    clips = [recipes.clip(recipes.checked(case[key], case["sha"][key])) for key in ("reference", "video")]
    frames = min(map(len, clips))
    return clips[0][:frames], clips[1][:frames]


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
def test_recorded(case: dict[str, Any]) -> None:
    for name, measure in (("ssim", pixel.ssim), ("psnr", partial(pixel.psnr_db, parity="peer"))):
        values = measure(*pair(case))
        tolerance = FLOAT32_NOISE.get((case["name"], name), GOLDEN["tolerance"][name])
        assert values == pytest.approx(case[name]["details"]["per_frame"], abs=tolerance)
        assert values.mean() == pytest.approx(case[name]["score"], abs=tolerance)


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
def test_the_formula(case: dict[str, Any]) -> None:
    framed = [np.pad(clip, ((0, 0), (5, 5), (5, 5), (0, 0))) for clip in pair(case)]
    expected = [formulas.ssim(*frames) for frames in zip(*framed, strict=True)]
    assert pixel.ssim(*pair(case)) == pytest.approx(expected, abs=2e-6)


def test_recorded_parameters() -> None:
    clips = pair(GOLDEN["cases"][0])
    small = pixel.ssim(*clips, window=7)
    assert small == pytest.approx(GOLDEN["extra"]["ssim_window_7"]["details"]["per_frame"], abs=2e-6)
    loud = pixel.psnr_db(*clips, largest=2)
    assert loud == pytest.approx(GOLDEN["extra"]["psnr_max_val_2"]["details"]["per_frame"], abs=2e-5)


def test_the_papers_border() -> None:
    reference, generated = textured(2, 40, 60), textured(2, 40, 60, seed=1)
    expected = [formulas.ssim(*frames) for frames in zip(reference, generated, strict=True)]
    assert pixel.ssim(reference, generated, border="valid") == pytest.approx(expected, abs=3e-6)
    assert pixel.ssim(reference, generated) != pytest.approx(expected, abs=1e-3)


def test_ms_ssim_is_the_papers() -> None:
    reference, generated = textured(2, 170, 180), textured(2, 170, 180, seed=1)
    expected = [formulas.ms_ssim(*frames, levels=5) for frames in zip(reference, generated, strict=True)]
    assert pixel.ms_ssim(reference, generated) == pytest.approx(expected, abs=1e-5)


def test_equal_clips_are_ideal() -> None:
    clip = textured(3, 32, 40)
    assert pixel.ssim(clip, clip) == pytest.approx(1, abs=1e-7)
    assert pixel.ms_ssim(clip, clip) == pytest.approx(1, abs=1e-7)
    assert pixel.psnr_db(clip, clip).tolist() == [math.inf] * 3
    assert pixel.psnr_db(clip, clip, parity="peer").tolist() == [100, 100, 100]


def test_only_the_peer_bounds_the_psnr() -> None:
    """One level in one value of a large frame is above 100 dB."""
    large = np.zeros((1, 480, 832, 3), np.uint8)
    other = large.copy()
    other[0, 0, 0, 0] = 1
    assert pixel.psnr_db(large, other)[0] == pytest.approx(10 * math.log10(255**2 * large.size))
    assert pixel.psnr_db(large, other, parity="peer")[0] == 100


@pytest.mark.parametrize("name", ["shift by one", "repeat a frame", "hue shift", "blur", "noise"])
@pytest.mark.parametrize("measure", [pixel.ssim, pixel.ms_ssim, pixel.psnr_db])
def test_mutations_lower_it(measure: Any, name: str) -> None:
    clip = textured(6, 48, 64)
    found = measure(clip, PICTURES[name](clip))
    assert found[np.isfinite(found)].mean() < measure(clip, clip).mean() - 1e-3


def test_chunks_give_the_same_values() -> None:
    reference, generated = textured(5, 32, 40), textured(5, 32, 40, seed=1)
    chunks = [pixel.ssim(reference[part], generated[part]) for part in (slice(0, 2), slice(2, 5))]
    assert np.concatenate(chunks).tolist() == pixel.ssim(reference, generated).tolist()


@pytest.mark.parametrize(
    ("generated", "complaint"),
    [
        (np.zeros((2, 32, 40, 3), np.float32), "uint8"),
        (np.zeros((2, 3, 32, 40), np.uint8), r"\[T, H, W, 3\]"),
        (np.zeros((1, 32, 40, 3), np.uint8), "differ in shape"),
        (np.zeros((2, 32, 41, 3), np.uint8), "differ in shape"),
        (np.zeros((0, 32, 40, 3), np.uint8), "1 frames or more"),
    ],
)
@pytest.mark.parametrize("measure", [pixel.ssim, pixel.ms_ssim, pixel.psnr_db])
def test_refuses_what_is_no_pair(measure: Any, generated: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        measure(np.zeros((2, 32, 40, 3), np.uint8), generated)
