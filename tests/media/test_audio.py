# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from fvhydra.core.errors import MediaError
from fvhydra.media import video
from fvhydra.media.audio import Recording, read_audio, write_wav
from tests.media.making import sound
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
    # AAC puts 1,024 samples before, and fills its last block: the container says so
    assert (found.rate, found.samples.shape) == (48_000, (1, 48_000))
    np.testing.assert_allclose(found.samples[:, 2000:-2000], tone(440, 1, 48_000)[:, 2000:-2000], atol=0.01)
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


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".m4a", "aac"),
        (".mp4", "aac"),
        (".wav", "pcm_s16le"),
        (".flac", "flac"),
        (".mp3", "libmp3lame"),
        (".opus", "libopus"),
        (".aiff", "pcm_s16be"),
    ],
)
@pytest.mark.parametrize("samples", [48_000, 30_000])
def test_what_fills_the_blocks_of_a_codec_is_left_out(tmp_path: Path, suffix: str, codec: str, samples: int) -> None:
    found = read_audio(sound(tmp_path / f"tone{suffix}", samples, codec=codec))
    assert (found.rate, found.samples.shape) == (48_000, (1, samples))
    wanted = tone(440, 1, 48_000)[0, 2000:28_000]  # not a sample early or late, within half a wave
    errors = {late: np.abs(found.samples[0, 2000 + late : 28_000 + late] - wanted).mean() for late in range(-50, 51)}
    assert min(errors, key=errors.__getitem__) == 0


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".wav", "pcm_s16le"),
        (".flac", "flac"),
        (".mp3", "libmp3lame"),
        (".ogg", "libopus"),
        (".opus", "libopus"),
        (".aiff", "pcm_s16be"),
        (".mka", "aac"),
        (".m4a", "aac"),
    ],
)
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_half_a_recording_is_unreadable(tmp_path: Path, suffix: str, codec: str, kept: float) -> None:
    path = sound(tmp_path / f"tone{suffix}", 96_000, codec=codec)
    read_audio(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(MediaError, match=r"is cut off|cannot be decoded"):
        read_audio(path)


def test_a_wav_whose_data_are_shorter_than_it_says(tmp_path: Path) -> None:
    """Written whole, as far as the outer chunk tells; the inner one promises ten seconds."""
    data = bytearray(sound(tmp_path / "tone.wav", 5 * 48_000).read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = (10 * 48_000 * 2).to_bytes(4, "little")
    (tmp_path / "tone.wav").write_bytes(data)
    with pytest.raises(MediaError, match="its header promises more than the"):
        read_audio(tmp_path / "tone.wav")


@pytest.mark.parametrize("unknown", [0xFFFFFFFF, 0x7FFFF000, 0])
def test_a_wav_that_was_streamed_does_not_know_its_length(tmp_path: Path, unknown: int) -> None:
    data = bytearray(sound(tmp_path / "tone.wav", 4800).read_bytes())
    for at in (4, data.index(b"data") + 4):
        data[at : at + 4] = unknown.to_bytes(4, "little")
    (tmp_path / "tone.wav").write_bytes(data)
    assert read_audio(tmp_path / "tone.wav").samples.shape == (1, 4800)
