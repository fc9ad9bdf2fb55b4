# SPDX-License-Identifier: Apache-2.0
"""Audio: float samples to a file that every player opens, and back from a file or a clip."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from fvhydra.core.errors import MediaError
from fvhydra.core.files import atomic_path
from fvhydra.media.container import FETCH_AGAIN, check_codec, opened
from fvhydra.media.limits import FEWEST_HERTZ, MOST_CHANNELS, MOST_HERTZ, MOST_SAMPLES
from fvhydra.media.timing import promised_end

_UNLIKE = "cannot be decoded as sound"

_COUNTED = ("wav", "flac", "aiff")
"""Formats whose header has the number of samples. MP3 has it where an encoder wrote what to skip at the start."""

_BLOCK = 2048
"""Samples; the longest block of AAC, which an end may be inside of."""


@dataclass(frozen=True)
class Recording:
    """Sound.

    Attributes:
        samples: float32 ``[C, N]``, 16-bit full scale at 1; compressed sound may go a little beyond.
        rate: Samples a second.
    """

    samples: NDArray[np.float32]
    rate: int

    def mono(self, rate: int) -> NDArray[np.float32]:
        """The mean of the channels at another rate, float32 ``[N]``, resampled by soxr as librosa does by default."""
        import soxr

        mixed = self.samples.mean(axis=0, dtype=np.float32)
        return mixed if rate == self.rate else np.asarray(soxr.resample(mixed, self.rate, rate, "HQ"), np.float32)


def write_wav(path: Path, audio: NDArray[np.float32], rate: int) -> None:
    """Write 16-bit PCM, atomically.

    Args:
        path: The file to write; its name should end in ``.wav``.
        audio: float32 ``[C, N]`` in [-1, 1]; values outside are clipped.
        rate: Samples a second.

    Raises:
        ValueError: ``audio`` is not ``[C, N]``, or holds NaN or infinity, which have no PCM value.
        UsageError: The file cannot be written.
    """
    if audio.ndim != 2 or not np.isfinite(audio).all():
        raise ValueError(f"audio must be finite [C, N], not {list(audio.shape)} with NaN or infinity")
    samples = np.rint(np.clip(audio, -1.0, 1.0).T * 32767).astype("<i2")
    with atomic_path(path, suffix=".wav") as temporary, wave.open(str(temporary), "wb") as out:
        out.setnchannels(audio.shape[0])
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples.tobytes())


def has_sound(path: Path) -> bool:
    """Whether there is an audio stream. Nothing is decoded; folders of frames are silent.

    Raises:
        MediaError: As :func:`read_audio`, where it cannot be opened.
    """
    if path.is_dir():
        return False
    with opened(path, "recording", _UNLIKE) as container:
        return bool(container.streams.audio)


def read_audio(path: Path) -> Recording:
    """The first audio stream of a recording or a clip, decoded whole.

    What an encoder put before and after the sound to fill its blocks is left out, as the container says.

    Raises:
        MediaError: Missing, damaged, cut off as far as the format tells, too long, or without sound.
    """
    with opened(path, "recording", _UNLIKE) as container:
        if not container.streams.audio:
            raise MediaError(f"{path} has no sound.")
        stream = container.streams.audio[0]
        check_codec(path, stream)
        if not FEWEST_HERTZ <= stream.rate <= MOST_HERTZ:
            allowed = f"{FEWEST_HERTZ:,} to {MOST_HERTZ:,}"
            raise MediaError(f"{path} has a rate of {stream.rate:,} samples a second; {allowed} are read.")
        _check_channels(path, stream.channels)
        try:
            samples = _decoded(path, container, stream)
        except av.FFmpegError as error:
            raise MediaError(f"{path} {_UNLIKE} ({error.strerror}).", FETCH_AGAIN) from error
        except ValueError as error:  # PyAV's, and numpy's
            raise MediaError(f"{path} changes its channels or rate on the way; it is damaged.", FETCH_AGAIN) from error
        return Recording(samples, stream.rate)


def _check_channels(path: Path, channels: int) -> None:
    if not 1 <= channels <= MOST_CHANNELS:
        raise MediaError(f"{path} has {channels} channels; 1 to {MOST_CHANNELS} are read.")


def _decoded(path: Path, container: InputContainer, stream: AudioStream) -> NDArray[np.float32]:
    planar = av.AudioResampler(format="fltp", layout=stream.layout, rate=stream.rate)
    blocks: list[NDArray[np.float32]] = []
    begin: Fraction | None = None
    count = 0
    for frame in container.decode(stream):
        _check_channels(path, frame.layout.nb_channels)
        if begin is None and frame.pts is not None and frame.time_base is not None:
            begin = frame.pts * frame.time_base
        for block in planar.resample(frame):
            blocks.append(np.asarray(block.to_ndarray(), np.float32))
            count += block.samples
        if count * len(blocks[-1] if blocks else ()) > MOST_SAMPLES:
            raise MediaError(f"{path} has more than {MOST_SAMPLES:,} samples; no more are read.")
    if not count:
        raise MediaError(f"{path} has an audio stream without samples.")
    promised = _promised_samples(container, stream, begin or Fraction(0))
    if promised is not None and promised - count > _BLOCK:
        raise MediaError(f"{path} is cut off after {count:,} samples of {promised:,}.", FETCH_AGAIN)
    # a container in whose times samples are exact says where the sound ends within the last block
    exact = promised is not None and 0 < count - promised < _BLOCK and stream.time_base == Fraction(1, stream.rate)
    return np.concatenate(blocks, axis=1)[:, : promised if exact else count]


def _promised_samples(container: InputContainer, stream: AudioStream, begin: Fraction) -> int | None:
    """How many there should be by what the file says; None where it does not, or FFmpeg estimates from the bit rate."""
    end = promised_end(container, stream)
    if end is not None:
        return round((end - begin) * stream.rate)
    known = container.format.name in _COUNTED or (container.format.name == "mp3" and stream.start_time)
    if known and stream.duration is not None and stream.time_base is not None:
        return round(stream.duration * stream.time_base * stream.rate)
    return None
