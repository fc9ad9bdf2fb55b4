from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fvhydra.media.video import encode

Make = Callable[..., Path]


@pytest.fixture
def make_clip(tmp_path: Path) -> Make:
    """Write a grey clip of 32x48 whose brightness says which one it is."""

    def make(name: str, level: int = 100, frames: int = 9, size: tuple[int, int] = (32, 48), fps: float = 24) -> Path:
        path = tmp_path / name
        ramp = np.linspace(0, 8, frames)[:, None, None, None]
        encode(path, np.broadcast_to(level + ramp, (frames, *size, 3)).astype(np.uint8), fps)
        return path

    return make
