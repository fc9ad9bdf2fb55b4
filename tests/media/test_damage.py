# SPDX-License-Identifier: Apache-2.0
"""Files with bytes changed, cut out or put in: every one is read or refused, with a sentence and in time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fvhydra.core.errors import MediaError
from fvhydra.media import video
from fvhydra.media.audio import has_sound, read_audio
from tests.media.making import moving, sound, write

VIDEOS = {".mp4": "libx264", ".mkv": "libx264", ".avi": "libx264", ".webm": "libvpx-vp9", ".flv": "libx264"}
SOUNDS = {".wav": "pcm_s16le", ".flac": "flac", ".mp3": "libmp3lame", ".ogg": "libopus", ".m4a": "aac"} | {
    ".aiff": "pcm_s16be",
    ".mka": "aac",
}
PICTURES = (".png", ".jpg", ".webp", ".bmp", ".tiff")
READERS: dict[str, tuple[Callable[[Path], Any], ...]] = {
    "clip": (video.probe, lambda path: list(video.decode(path, upright=True)), has_sound),
    "sound": (read_audio,),
    "picture": (video.read_image,),
}


def made(path: Path) -> str:
    """Write a small file of the kind that its suffix says."""
    frames = moving(4, 32, 48)
    if path.suffix in VIDEOS:
        write(path, frames, codec=VIDEOS[path.suffix])
        return "clip"
    if path.suffix in SOUNDS:
        sound(path, 4800, codec=SOUNDS[path.suffix])
        return "sound"
    first, *others = map(Image.fromarray, frames)
    first.save(path, **({"save_all": True, "append_images": others, "duration": 40} if path.suffix == ".gif" else {}))
    return "clip" if path.suffix == ".gif" else "picture"


def changed(data: bytes, rng: random.Random) -> bytes:
    """In the header more often than elsewhere: that is where sizes and kinds are."""
    end = len(data) if rng.random() < 0.4 else min(len(data), 600)
    at = rng.randrange(end)
    match rng.randrange(4):
        case 0:
            return data[: rng.randrange(len(data))]
        case 1:
            return data[:at] + rng.randbytes(rng.randint(1, 40)) + data[at:]
        case 2:
            return (
                data[:at]
                + rng.choice([b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0" * 4, b"\0\xff\xff\xff"])
                + data[at + 4 :]
            )
    mutable = bytearray(data)
    for _ in range(rng.randint(1, 12)):
        mutable[rng.randrange(end)] = rng.randrange(256)
    return bytes(mutable)


@pytest.mark.parametrize("suffix", [*VIDEOS, ".gif", *SOUNDS, *PICTURES])
def test_changed_bytes_are_read_or_refused(tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"file{suffix}"
    readers = READERS[made(path)]
    whole, rng = path.read_bytes(), random.Random(suffix)
    refused = 0
    for _ in range(60):
        path.write_bytes(changed(whole, rng))
        for read in readers:
            started = time.monotonic()
            try:
                read(path)
            except MediaError as error:
                assert "\n" not in error.message
                refused += 1
            assert time.monotonic() - started < 10
    assert refused
    assert capfd.readouterr().err == ""


def test_more_channels_than_memory_is_there_for(tmp_path: Path) -> None:
    """Reading them ended the process."""
    path = sound(tmp_path / "tone.aiff", 4800, codec="pcm_s16be")
    data = bytearray(path.read_bytes())
    at = data.index(b"COMM") + 8
    data[at : at + 2] = (56).to_bytes(2, "big")
    path.write_bytes(data)
    with pytest.raises(MediaError, match="has 56 channels; 1 to 8 are read"):
        read_audio(path)


@pytest.mark.parametrize(
    "content", [b"R", b"RIFF", b"RIFF\0\0\0", b"OggS", b"GIF8", b"FORM\0\0\0\x04AIFF", b"\0\0\0\x08ftyp"]
)
def test_the_beginning_of_a_header(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file.mp4").write_bytes(content)
    for read in (*READERS["clip"], *READERS["sound"], *READERS["picture"]):
        with pytest.raises(MediaError):
            read(tmp_path / "file.mp4")


def test_a_codec_that_is_not_known(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.mp4", moving(2))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"xyz1"))
    with pytest.raises(MediaError, match="of a codec that is not known"):
        video.probe(path)


def test_frames_of_another_size_on_the_way(tmp_path: Path) -> None:
    """What a stream announced and what it has are two things."""
    path = write(tmp_path / "clip.mp4", moving(2), codec="mjpeg", pix_fmt="yuvj420p")
    data = bytearray(path.read_bytes())
    at = data.rindex(b"\xff\xc0") + 5  # the second picture's header: height and width
    data[at : at + 4] = (32).to_bytes(2, "big") + (48).to_bytes(2, "big")
    path.write_bytes(data)
    with pytest.raises(MediaError, match="is damaged"):
        list(video.decode(path))
    assert np.shape(next(video.decode(path))) == (64, 96, 3)
