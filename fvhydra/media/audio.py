# SPDX-License-Identifier: Apache-2.0
"""Audio: float samples to a file that every player opens, and back from a file or a clip."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fvhydra.core.errors import MediaError
from fvhydra.core.files import atomic_path


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


def read_audio(path: Path) -> Recording:
    """The first audio stream of a recording or a clip, decoded whole.

    Raises:
        MediaError: Missing, damaged, or without sound.
    """
    import av

    if not path.is_file():
        raise MediaError(f"There is no recording {path}.")
    try:
        # absolute, so that a name with a colon is not taken for a protocol
        with av.open(path.absolute(), metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise MediaError(f"{path} has no sound.")
            stream = container.streams.audio[0]
            planar = av.AudioResampler(format="fltp", layout=stream.layout, rate=stream.rate)
            blocks = [out for frame in container.decode(stream) for out in planar.resample(frame)]
    except av.FFmpegError as error:
        raise MediaError(f"{path} cannot be decoded as sound ({error.strerror}).") from error
    if not blocks:
        raise MediaError(f"{path} has an audio stream without samples.")
    return Recording(np.concatenate([block.to_ndarray() for block in blocks], axis=1), stream.rate)
