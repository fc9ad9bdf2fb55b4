# SPDX-License-Identifier: Apache-2.0
"""Small clips that are known by their brightness."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fvhydra.media.video import encode


def write_clip(
    folder: Path, name: str, level: int = 100, frames: int = 9, size: tuple[int, int] = (32, 48), fps: float = 24
) -> Path:
    """Write a grey clip of 32x48 whose brightness begins at ``level`` and grows by 8."""
    path = folder / name
    ramp = np.linspace(0, 8, frames)[:, None, None, None]
    encode(path, np.broadcast_to(level + ramp, (frames, *size, 3)).astype(np.uint8), fps)
    return path
