"""Audio: float samples to a file that every player opens."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fvhydra.core.files import atomic_path


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
