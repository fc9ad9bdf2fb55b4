# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import pytorch_msssim
import torch

from fvhydra.similarity.structure import StructuralSimilarity, levels_that_fit

from . import formulas
from .conftest import Clip, textured


def noisy(frame: Clip) -> Clip:
    return (frame + np.random.default_rng(1).normal(0, 12, frame.shape)).clip(0, 255).astype(np.uint8)


def inverted(frame: Clip) -> Clip:
    return 255 - frame


def darker(frame: Clip) -> Clip:
    return (frame * 0.2).astype(np.uint8)


def white(frame: Clip) -> Clip:
    return np.full_like(frame, 255)


def unrelated(frame: Clip) -> Clip:
    return np.random.default_rng(2).integers(0, 256, frame.shape, dtype=np.uint8)


CHANGES = [noisy, inverted, darker, white, unrelated]


def as_tensor(frame: Clip) -> torch.Tensor:
    return torch.from_numpy(frame).permute(2, 0, 1)[None].float()


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    ("height", "width", "levels"),
    [(11, 11, 1), (21, 64, 2), (64, 96, 3), (65, 67, 3), (96, 96, 4), (160, 300, 4), (161, 161, 5), (333, 170, 5)],
)
def test_values_are_those_of_the_formulas(change: Callable[[Clip], Clip], height: int, width: int, levels: int) -> None:
    frame = textured(1, height, width)[0]
    other = change(frame)
    found = StructuralSimilarity(height, width)(frame, other, with_ssim=True)
    assert levels_that_fit(height, width) == levels
    assert found.ssim == pytest.approx(formulas.ssim(frame, other), abs=3e-6)
    expected = formulas.ms_ssim(frame, other, levels)
    # a term just above 0 is raised to a small power, which enlarges its rounding
    assert found.ms_ssim == pytest.approx(expected, abs=3e-6 if expected > 0.01 else 2e-4)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("height", "width"), [(161, 203), (192, 256), (321, 170)])
def test_values_are_those_of_pytorch_msssim(change: Callable[[Clip], Clip], height: int, width: int) -> None:
    frame = textured(1, height, width)[0]
    other = change(frame)
    found = StructuralSimilarity(height, width)(frame, other, with_ssim=True)
    pair = as_tensor(frame), as_tensor(other)
    # its own float32 rounding is all that is left on frames of nothing but the largest value
    tolerance = 2e-5 if change is white else 1e-5
    assert found.ms_ssim == pytest.approx(float(pytorch_msssim.ms_ssim(*pair, data_range=255)), abs=tolerance)
    assert found.ssim == pytest.approx(float(pytorch_msssim.ssim(*pair, data_range=255)), abs=tolerance)


def test_nearly_flat_bright_frames_are_exact() -> None:
    """Where variances are the small difference of large numbers."""
    frame, other = np.full((2, 200, 240, 3), 250, np.uint8)
    frame[:, ::9] = 249
    other[::7] = 251
    found = StructuralSimilarity(200, 240)(frame, other, with_ssim=True)
    assert found.ssim == pytest.approx(formulas.ssim(frame, other), abs=1e-6)
    assert found.ms_ssim == pytest.approx(formulas.ms_ssim(frame, other, 5), abs=1e-6)


def test_equal_frames_are_exactly_1() -> None:
    for frame in (textured(1, 64, 96)[0], np.zeros((64, 96, 3), np.uint8), np.full((64, 96, 3), 255, np.uint8)):
        found = StructuralSimilarity(64, 96)(frame, frame, with_ssim=True)
        assert (found.ms_ssim, found.ssim) == (1.0, 1.0)


def test_the_buffers_of_one_frame_do_not_leak_into_the_next() -> None:
    first, second = textured(2, 96, 128)
    kernel = StructuralSimilarity(96, 128)
    expected = kernel(first, noisy(first))
    kernel(second, unrelated(second), with_ssim=True)
    assert kernel(first, noisy(first)) == expected


def test_frames_larger_than_a_strip_are_covered() -> None:
    frame = textured(1, 700, 64)[0]
    for row in (20, 350, 690):
        other = frame.copy()
        other[row] = 255 - other[row]
        found = StructuralSimilarity(700, 64)(frame, other, with_ssim=True)
        assert found.ssim == pytest.approx(formulas.ssim(frame, other), abs=1e-6)
    wide = textured(1, 120, 2000)[0]
    found = StructuralSimilarity(120, 2000)(wide, noisy(wide), with_ssim=True)
    assert found.ssim == pytest.approx(formulas.ssim(wide, noisy(wide)), abs=1e-6)


def test_too_small() -> None:
    assert levels_that_fit(10, 400) == 0
    with pytest.raises(ValueError, match="at least 11x11"):
        StructuralSimilarity(10, 400)
