# SPDX-License-Identifier: Apache-2.0
"""Clips without a file: folders of numbered pictures, and GIFs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fvhydra.core.errors import MediaError
from fvhydra.media import video
from fvhydra.media.audio import has_sound
from tests.media.making import moving


def folder_of(path: Path, frames: np.ndarray, name: str = "{:04}.png", first: int = 0) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for index, frame in enumerate(frames, first):
        Image.fromarray(frame).save(path / name.format(index))
    return path


@pytest.mark.parametrize(
    ("name", "first"), [("{:04}.png", 0), ("frame_{}.png", 1), ("v1-{:03}.bmp", 98), ("{}.webp", 5)]
)
def test_a_folder_of_frames_is_a_clip(tmp_path: Path, name: str, first: int) -> None:
    frames = moving(12)
    folder = folder_of(tmp_path / "clip", frames, name, first)
    (folder / "notes.txt").write_text("beside them")
    (folder / ".hidden.png").write_bytes(b"no picture")
    info = video.probe(folder, 8)
    assert (info.frames, info.height, info.width, info.fps, info.duration_s) == (12, 64, 96, 8, 1.5)
    assert (info.has_audio, has_sound(folder)) == (False, False)
    found = list(video.decode(folder, upright=True))
    assert len(found) == 12
    if not name.endswith("webp"):
        np.testing.assert_array_equal(found, frames)


@pytest.mark.parametrize("fps", [None, 0.0, -1.0, float("nan"), float("inf")])
def test_its_rate_has_to_be_given(tmp_path: Path, fps: float | None) -> None:
    says = r"is a folder of frames, whose rate (is not known|must be above 0).* op.fps=24"
    with pytest.raises(MediaError, match=says):
        video.probe(folder_of(tmp_path / "clip", moving(2)), fps)


def test_frames_of_16_bits(tmp_path: Path) -> None:
    grey = (np.arange(64 * 96).reshape(64, 96) * 10).astype(np.uint16)
    (tmp_path / "clip").mkdir()
    Image.fromarray(grey).save(tmp_path / "clip" / "0.png")
    np.testing.assert_array_equal(next(video.decode(tmp_path / "clip"))[..., 1], grey >> 8)


def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "clip", moving(4))

    def refused(says: str) -> None:
        with pytest.raises(MediaError, match=says):
            list(video.decode(folder))

    picture = folder / "0001.png"
    data = picture.read_bytes()
    picture.unlink()
    refused("0000.png and 0002.png have frames missing between them")
    picture.write_bytes(data[:-30])
    refused("0001.png is not a readable image")
    Image.new("RGB", (96, 32)).save(picture)
    refused("0001.png is 32x96, but the frames before are 64x96")
    picture.write_bytes(data)
    (folder / "1.png").write_bytes(data)
    refused("0001.png and 1.png are the same frame")
    (folder / "1.png").rename(folder / "other_7.png")
    refused("holds frames of several clips, such as .*0000.png|0003.png and other_7.png")
    (folder / "other_7.png").rename(folder / "cover.png")
    refused("the name of cover.png does not end with a number")
    (folder / "cover.png").unlink()
    assert len(list(video.decode(folder))) == 4


def test_a_gif_is_a_clip(tmp_path: Path) -> None:
    frames = moving(10)
    path = tmp_path / "clip.gif"
    first, *others = pictures = [Image.fromarray(frame).quantize(256) for frame in frames]
    first.save(path, save_all=True, append_images=others, duration=[40, 40, 40, 40, 200, 40, 40, 40, 280, 40], loop=0)
    info = video.probe(path)
    assert (info.frames, info.height, info.width, info.has_audio) == (10, 64, 96, False)
    assert (info.fps, info.duration_s) == (pytest.approx(12.5), pytest.approx(0.8))
    found = np.stack(list(video.decode(path)))
    assert found.shape == frames.shape
    np.testing.assert_array_equal(found, [picture.convert("RGB") for picture in pictures])
    whole = path.read_bytes()
    for cut in (len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(MediaError):
            list(video.decode(path))
