# SPDX-License-Identifier: Apache-2.0
"""Frames as players show them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fvhydra.core.errors import MediaError
from fvhydra.media import video
from tests.media.making import moving, remux, write

Turn = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

# rows a b, c d of the matrix, and what a player shows
TURNS: dict[str, tuple[tuple[int, int, int, int], Turn]] = {
    "as it is": ((1, 0, 0, 1), lambda frame: frame),
    "mirrored": ((-1, 0, 0, 1), lambda frame: frame[:, ::-1]),
    "upside down and mirrored": ((1, 0, 0, -1), lambda frame: frame[::-1]),
    "turned by half": ((-1, 0, 0, -1), lambda frame: np.rot90(frame, 2)),
    "a quarter clockwise": ((0, 1, -1, 0), lambda frame: np.rot90(frame, -1)),
    "a quarter anticlockwise": ((0, -1, 1, 0), lambda frame: np.rot90(frame)),
    "transposed": ((0, 1, 1, 0), lambda frame: frame.swapaxes(0, 1)),
    "mirrored and transposed": ((0, -1, -1, 0), lambda frame: np.rot90(frame, 2).swapaxes(0, 1)),
    "twice as large": ((2, 0, 0, 2), lambda frame: frame),
    "empty": ((0, 0, 0, 0), lambda frame: frame),
}


def turned(folder: Path, rows: tuple[float, float, float, float]) -> Path:
    a, b, c, d = (round(value * 65536) for value in rows)
    source = write(folder / "source.mp4", moving(2))
    return remux(source, folder / "turned.mp4", matrix=[a, b, 0, c, d, 0, 0, 0, 1 << 30])


@pytest.mark.parametrize("kind", TURNS)
def test_the_whole_matrix_is_honoured(tmp_path: Path, kind: str) -> None:
    rows, turn = TURNS[kind]
    path = turned(tmp_path, rows)
    coded, shown = list(video.decode(path)), list(video.decode(path, upright=True))
    for before, after in zip(coded, shown, strict=True):
        np.testing.assert_array_equal(after, turn(before))


@pytest.mark.parametrize("degrees", [5, 30, 45, 100])
def test_an_angle_that_is_no_quarter_is_said(tmp_path: Path, degrees: int) -> None:
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    path = turned(tmp_path, (cosine, sine, -sine, cosine))
    with pytest.raises(MediaError, match=f"turns its frames by {degrees} degrees"):
        list(video.decode(path, upright=True))
    assert len(list(video.decode(path))) == 2
