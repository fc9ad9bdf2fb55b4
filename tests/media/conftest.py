# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fvhydra.media import video


@pytest.fixture
def frames() -> NDArray[np.uint8]:
    """24 frames of 64x96: smooth saturated colours that move, and noise on one side so that no frame is small."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:64, :96]
    clip = np.empty((24, 64, 96, 3), np.uint8)
    for index, frame in enumerate(clip):
        frame[..., 0] = 128 + 120 * np.sin((columns + 3 * index) / 17)
        frame[..., 1] = 128 + 120 * np.sin((rows - 2 * index) / 13)
        frame[..., 2] = 128 + 120 * np.cos((rows + columns + index) / 31)
        frame[:, 48:] = rng.integers(0, 256, (64, 48, 3))
    return clip


@pytest.fixture
def clip(tmp_path: Path, frames: NDArray[np.uint8]) -> Path:
    path = tmp_path / "clip.mp4"
    video.encode(path, frames, 24)
    return path
