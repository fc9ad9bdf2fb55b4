# SPDX-License-Identifier: Apache-2.0
"""One picture, coded in several ways, is one picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fvhydra.core.errors import MediaError
from fvhydra.media import video
from fvhydra.media.colour import eight_bits
from tests.media.making import moving, write


def decibels(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> float:
    error = float(np.mean((left.astype(np.float64) - right) ** 2))
    return float("inf") if error == 0 else 10 * np.log10(255**2 / error)


@pytest.mark.parametrize("planes", ["yuv420p", "yuv422p", "yuv444p"])
@pytest.mark.parametrize("bits", ["10le", "12le"])
def test_more_bits_give_the_same_frames(tmp_path: Path, planes: str, bits: str) -> None:
    """libswscale has another chroma filter for them, 25 to 35 dB away."""
    frames = moving(3)
    few = write(tmp_path / "few.mkv", frames, codec="ffv1", pix_fmt=planes)
    many = write(tmp_path / "many.mkv", frames, codec="ffv1", pix_fmt=planes + bits)
    assert video.probe(many).pix_fmt == planes + bits
    found = decibels(np.stack(list(video.decode(few))), np.stack(list(video.decode(many))))
    # what is left is that the encoder's own conversion rounded to fewer steps
    assert found > 44


@pytest.mark.parametrize(
    ("pix_fmt", "wanted"),
    [
        ("yuv420p", None),
        ("yuvj420p", None),
        ("rgb24", None),
        ("gbrp10le", None),
        ("yuv420p10le", "yuv420p"),
        ("yuv422p16be", "yuv422p"),
        ("yuva444p12le", "yuva444p"),
        ("gray10le", "gray"),
        ("p010le", "yuv420p"),
        ("p216be", "yuv422p"),
        ("p416le", "yuv444p"),
    ],
)
def test_formats_of_the_same_planes(pix_fmt: str, wanted: str | None) -> None:
    assert eight_bits(pix_fmt) == wanted


def test_an_interlaced_clip_is_refused_and_told_what_to_do(tmp_path: Path) -> None:
    frames = moving(8)
    fields = frames[::2].copy()
    fields[:, 1::2] = frames[1::2, 1::2]  # two moments in each picture
    path = write(tmp_path / "combed.mp4", fields, rate=12, options={"x264-params": "interlaced=1:tff=1"})
    with pytest.raises(MediaError, match="is interlaced at frame 0") as caught:
        list(video.decode(path))
    assert "-vf bwdif" in caught.value.hint
    assert len(list(video.decode(write(tmp_path / "whole.mp4", frames)))) == 8
