# SPDX-License-Identifier: Apache-2.0
"""Reading a recording as FastVideo's evaluation prepares it for audio networks: mono, resampled, peak-normalised."""

from __future__ import annotations

from pathlib import Path

from fvhydra.core.errors import MediaError
from fvhydra.metrics.base import Skipped
from fvhydra.metrics.functional.audio.windows import Samples, normalise_peak


def load_recording(path: Path, rate: int) -> Samples:
    """One channel at ``rate``, its peak at -1 dBFS: float32 ``[N]``.

    Raises:
        Skipped: ``unreadable``: no sound in it, or damaged. ``nonfinite``: silence, which cannot be scaled.
    """
    from fvhydra.media.audio import read_audio

    try:
        samples = read_audio(path).mono(rate)
    except MediaError as error:
        raise Skipped("unreadable", error.message) from error
    try:
        return normalise_peak(samples)
    except ValueError as error:
        raise Skipped("nonfinite", f"{path.name}: {error}") from error
