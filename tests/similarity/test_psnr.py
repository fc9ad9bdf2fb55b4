# SPDX-License-Identifier: Apache-2.0
"""The ratio of frames whose differences are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fvhydra.similarity.psnr import frame_psnr_db


def test_the_ratio_is_that_of_the_mean_square_difference() -> None:
    frame = np.full((4, 6, 3), 100, np.uint8)
    other = frame.copy()
    other[0, 0, 0], other[3, 5, 2] = 110, 70
    mean_square = (10**2 + 30**2) / (4 * 6 * 3) / 255**2
    assert frame_psnr_db(frame, other) == pytest.approx(-10 * math.log10(mean_square))
    assert frame_psnr_db(frame, other, largest=0.5) == pytest.approx(10 * math.log10(0.25 / mean_square))


def test_the_ratio_of_opposites_is_0_and_of_equals_infinite() -> None:
    black, white = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
    assert frame_psnr_db(black, white) == pytest.approx(0)
    assert frame_psnr_db(white, white) == math.inf
