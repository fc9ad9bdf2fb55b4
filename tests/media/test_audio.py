# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from fvhydra.core.errors import MediaError
from fvhydra.media import video
from fvhydra.media.audio import Recording, read_audio, write_wav
from tests.similarity.conftest import textured


def test_samples_come_back(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    audio = np.stack([np.linspace(-1, 1, 1000), np.linspace(2, -2, 1000)]).astype(np.float32)
    write_wav(path, audio, 44_100)
    with wave.open(str(path)) as read:
        assert (read.getnchannels(), read.getframerate(), read.getnframes()) == (2, 44_100, 1000)
        samples = np.frombuffer(read.readframes(1000), "<i2").reshape(1000, 2).T / 32767
    np.testing.assert_allclose(samples, audio.clip(-1, 1), atol=1 / 32767)
    assert [file.name for file in tmp_path.iterdir()] == ["tone.wav"]


def test_nan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="finite"):
        write_wav(tmp_path / "tone.wav", np.full((1, 8), np.nan, np.float32), 8000)
    assert list(tmp_path.iterdir()) == []


def tone(hertz: float, seconds: float, rate: int) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)[None]


def test_a_recording_is_read_as_it_was_written(tmp_path: Path) -> None:
    audio = np.stack([np.linspace(-1, 1, 1000), np.linspace(0.5, -0.5, 1000)]).astype(np.float32)
    write_wav(tmp_path / "two.wav", audio, 44_100)
    found = read_audio(tmp_path / "two.wav")
    assert (found.rate, found.samples.shape, found.samples.dtype) == (44_100, (2, 1000), np.float32)
    np.testing.assert_allclose(found.samples * 32768 / 32767, audio, atol=1 / 32767)


def test_the_sound_of_a_clip_is_read(tmp_path: Path) -> None:
    video.encode(tmp_path / "clip.mp4", textured(24, 32, 48), 24, tone(440, 1, 48_000), 48_000)
    found = read_audio(tmp_path / "clip.mp4")
    assert found.rate == 48_000
    spectrum = np.abs(np.fft.rfft(found.samples[0, :48_000]))
    assert int(spectrum.argmax()) == 440


@pytest.mark.parametrize(("given", "wanted"), [(24_000, 48_000), (44_100, 16_000)])
def test_another_rate_is_the_same_tone(given: int, wanted: int) -> None:
    mixed = Recording(np.concatenate([tone(440, 1, given)] * 2), given).mono(wanted)
    assert (mixed.dtype, len(mixed)) == (np.float32, wanted)
    middle = slice(wanted // 10, -wanted // 10)
    np.testing.assert_allclose(mixed[middle], tone(440, 1, wanted)[0][middle], atol=1e-3)


def test_channels_are_averaged() -> None:
    both = Recording(np.asarray([[0.5, 0.5], [-0.5, 0.1]], np.float32), 8000)
    assert both.mono(8000) == pytest.approx([0, 0.3])


def test_what_is_no_sound(tmp_path: Path) -> None:
    video.encode(tmp_path / "mute.mp4", textured(3, 32, 48), 24)
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "empty.wav").touch()
    for name, reason in (
        ("mute.mp4", "has no sound"),
        ("text.wav", "cannot be decoded"),
        ("empty.wav", r"is empty \(0 bytes\)"),
        ("gone.wav", "There is no recording"),
    ):
        with pytest.raises(MediaError, match=reason):
            read_audio(tmp_path / name)


def test_a_recording_without_samples(tmp_path: Path) -> None:
    write_wav(tmp_path / "none.wav", np.empty((1, 0), np.float32), 8000)
    with pytest.raises(MediaError, match="without samples"):
        read_audio(tmp_path / "none.wav")
