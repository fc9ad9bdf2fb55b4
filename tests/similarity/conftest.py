# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fvhydra.media import video

Clip = NDArray[np.uint8]


def textured(frames: int, height: int, width: int, seed: int = 0) -> Clip:
    """A texture that moves over smooth colours."""
    rng = np.random.default_rng(seed)
    # blocks of 2x2, which the codec keeps, as in a photograph
    texture = rng.normal(0, 25, (height // 2 + 1, (width + 2 * frames) // 2 + 1, 3)).repeat(2, 0).repeat(2, 1)
    rows, columns = np.mgrid[:height, :width]
    clip = np.empty((frames, height, width, 3), np.uint8)
    for index, frame in enumerate(clip):
        smooth = (columns + 3 * index) / 17, (rows - 2 * index) / 13, (rows + columns + index) / 31
        colours = np.stack([128 + 70 * np.sin(wave) for wave in smooth], axis=-1)
        frame[:] = (colours + texture[:height, 2 * index : 2 * index + width]).clip(0, 255)
    return clip


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Writes a clip and returns its path."""

    def write(frames: Clip, name: str, fps: float = 24) -> Path:
        path = tmp_path / f"{name}.mp4"
        video.encode(path, frames, fps)
        return path

    return write
