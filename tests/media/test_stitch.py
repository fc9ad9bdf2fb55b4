# SPDX-License-Identifier: Apache-2.0
"""Clips to one video: every frame once, as it was encoded where that is possible."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from fvhydra.core.errors import MediaError
from fvhydra.media.audio import read_audio
from fvhydra.media.encode import encode, write_mp4
from fvhydra.media.stitch import Part, stitch
from fvhydra.media.video import decode, probe

RATE = 16000


def _frames(count: int, seed: int, size: tuple[int, int] = (64, 96)) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    still = rng.integers(0, 256, (*size, 3), np.uint8)
    return np.stack([np.roll(still, 3 * index, axis=1) for index in range(count)])


def _clip(path: Path, count: int, seed: int, fps: float = 8, tone: float = 0, key: bool = True) -> Path:
    samples = round(count / fps * RATE)
    wave = 0.5 * np.sin(2 * np.pi * tone * np.arange(samples) / RATE).astype(np.float32)[np.newaxis]
    sound = (wave, RATE) if tone else (None, None)
    encode(path, _frames(count, seed), fps, *sound, key_frames=(1,) if key else ())
    return path


def _all(*parts: Part) -> list[NDArray[np.uint8]]:
    return [frame for part in parts for frame in list(decode(part.path))[part.skip :]]


@pytest.mark.parametrize("counts", [(9,), (9, 17), (5, 2, 1, 33), (1, 1)])
def test_pictures_are_copied_and_every_frame_is_there_once(tmp_path: Path, counts: tuple[int, ...]) -> None:
    paths = [_clip(tmp_path / f"{nth}.mp4", count, nth) for nth, count in enumerate(counts)]
    parts = [Part(path, int(nth > 0)) for nth, path in enumerate(paths)]
    joined = stitch(tmp_path / "whole.mp4", parts)
    whole, expected = list(decode(tmp_path / "whole.mp4")), _all(*parts)
    assert joined.frames == len(whole) == len(expected) == sum(counts) - len(counts) + 1
    assert all(np.array_equal(one, other) for one, other in zip(whole, expected, strict=True))
    assert (joined.pictures, joined.sound, joined.fps) == ("copied", None, 8.0)
    info = probe(tmp_path / "whole.mp4")
    assert (info.fps, info.duration_s) == (8.0, pytest.approx(len(expected) / 8))


def test_pictures_are_encoded_again_where_the_second_frame_needs_the_first(tmp_path: Path) -> None:
    parts = [Part(_clip(tmp_path / f"{nth}.mp4", 9, nth, key=False), nth) for nth in range(2)]
    joined = stitch(tmp_path / "whole.mp4", parts)
    whole, expected = list(decode(tmp_path / "whole.mp4")), _all(*parts)
    assert joined.pictures == "encoded" and joined.frames == len(whole) == len(expected) == 17
    assert max(np.abs(a.astype(int) - b.astype(int)).mean() for a, b in zip(whole, expected, strict=True)) < 8


def test_pictures_are_encoded_again_where_streams_have_other_parameters(tmp_path: Path) -> None:
    first = _clip(tmp_path / "0.mp4", 9, 0)
    write_mp4(tmp_path / "1.mp4", _frames(9, 1), (64, 96), 8, {"crf": "10", "bf": "0", "refs": "1"})
    joined = stitch(tmp_path / "whole.mp4", [Part(first), Part(tmp_path / "1.mp4")])
    assert joined.pictures == "encoded" and len(list(decode(tmp_path / "whole.mp4"))) == 18


def test_sound_stays_in_step(tmp_path: Path) -> None:
    tones = (300, 0, 700)
    parts = [Part(_clip(tmp_path / f"{nth}.mp4", 9, nth, tone=tone), int(nth > 0)) for nth, tone in enumerate(tones)]
    joined = stitch(tmp_path / "whole.mp4", parts)
    assert (joined.pictures, joined.sound) == ("copied", "encoded")
    sound = read_audio(tmp_path / "whole.mp4")
    for tone, begin, end in ((300, 0, 9), (0, 9, 17), (700, 17, 25)):
        heard = sound.samples[0, round((begin / 8 + 0.1) * RATE) : round((end / 8 - 0.1) * RATE)]
        if tone:
            assert np.argmax(np.abs(np.fft.rfft(heard))) * RATE / len(heard) == pytest.approx(tone, abs=3)
        else:
            assert np.abs(heard).max() < 0.01


def test_what_is_heard_at_a_frame_is_heard_at_it_in_the_whole(tmp_path: Path) -> None:
    """A burst in frame 4 of each of two clips of 9, of which the second loses its first frame: in frames 4 and 12."""
    wave = np.zeros((1, 9 * RATE // 8), np.float32)
    at = 4 * RATE // 8
    wave[0, at : at + 400] = 0.8 * np.sin(np.arange(400))
    for nth in range(2):
        encode(tmp_path / f"{nth}.mp4", _frames(9, nth), 8, wave, RATE, key_frames=(1,))
    stitch(tmp_path / "whole.mp4", [Part(tmp_path / f"{nth}.mp4", nth) for nth in range(2)])
    loud = np.flatnonzero(np.abs(read_audio(tmp_path / "whole.mp4").samples[0]) > 0.4) / RATE * 8
    first, second = loud[loud < 8], loud[loud > 8]
    assert first[0] == pytest.approx(4, abs=0.1) and second[0] == pytest.approx(12, abs=0.1)
    assert max(np.ptp(first), np.ptp(second)) < 0.3


def test_the_same_clips_give_the_same_bytes(tmp_path: Path) -> None:
    parts = [Part(_clip(tmp_path / f"{nth}.mp4", 9, nth, tone=440), nth) for nth in range(2)]
    for name in ("a.mp4", "b.mp4"):
        stitch(tmp_path / name, parts)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_clips_that_are_not_alike_are_refused(tmp_path: Path) -> None:
    first = _clip(tmp_path / "0.mp4", 5, 0)
    encode(tmp_path / "large.mp4", _frames(5, 1, (96, 96)), 8)
    _clip(tmp_path / "quick.mp4", 5, 2, fps=12)
    for name in ("large.mp4", "quick.mp4"):
        with pytest.raises(MediaError, match=r"must be alike"):
            stitch(tmp_path / "whole.mp4", [Part(first), Part(tmp_path / name)])
    with pytest.raises(MediaError):
        stitch(tmp_path / "whole.mp4", [Part(first), Part(tmp_path / "gone.mp4")])
    assert not (tmp_path / "whole.mp4").exists()


def test_sounds_that_are_not_alike_are_refused(tmp_path: Path) -> None:
    first = _clip(tmp_path / "0.mp4", 8, 0, tone=300)
    encode(tmp_path / "1.mp4", _frames(8, 1), 8, np.zeros((2, 44100), np.float32), 44100)
    with pytest.raises(MediaError, match="sounds of different rates or channels"):
        stitch(tmp_path / "whole.mp4", [Part(first), Part(tmp_path / "1.mp4")])


def test_a_key_frame_is_there_where_it_was_asked_for(tmp_path: Path) -> None:
    with av.open(_clip(tmp_path / "0.mp4", 5, 0)) as container:
        keys = [packet.is_keyframe for packet in container.demux(video=0) if packet.size]
    assert keys == [True, True, False, False, False]
