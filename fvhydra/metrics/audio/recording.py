# SPDX-License-Identifier: Apache-2.0
"""Reading a recording as the evaluations prepare it for audio networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fvhydra.core.errors import MediaError
from fvhydra.metrics.base import Skipped
from fvhydra.metrics.functional.audio.windows import Samples, normalise_peak

if TYPE_CHECKING:
    from fvhydra.media.audio import Recording


def load_recording(path: Path, rate: int) -> Samples:
    """As FastVideo: the mean of the channels at ``rate`` by soxr, its peak at -1 dBFS: float32 ``[N]``.

    Raises:
        Skipped: ``unreadable``: no sound in it, or damaged. ``nonfinite``: silence, which cannot be scaled, or samples
            that are no numbers.
    """
    samples = _read(path).mono(rate)
    try:
        return normalise_peak(samples)
    except ValueError as error:
        raise Skipped("nonfinite", f"{path.name}: {error}") from error


def load_plain(path: Path, rate: int) -> Samples:
    """The mean of the channels at ``rate`` by soxr, as loud as it is: float32 ``[N]``.

    Raises:
        Skipped: As :func:`load_recording`.
    """
    return _read(path).mono(rate)


def load_mixed(path: Path, rate: int) -> Samples:
    """The mean of the channels at ``rate`` by torchaudio's sinc, as loud as it is: float32 ``[N]``.

    Raises:
        Skipped: As :func:`load_recording`.
    """
    found = _read(path)
    return _resampled(found.samples.mean(axis=0), found.rate, rate)


def load_centred(path: Path, rate: int) -> Samples:
    """As av-benchmark: the mean of the channels less its own mean, at ``rate`` by torchaudio's sinc: float32 ``[N]``.

    Raises:
        Skipped: As :func:`load_recording`.
    """
    found = _read(path)
    mixed = found.samples.mean(axis=0)
    return _resampled(mixed - mixed.mean(), found.rate, rate)


def load_first_channel(path: Path, rate: int, least_s: float = 0.025) -> Samples:
    """As ImageBind: the first channel at ``rate`` by torchaudio's sinc: float32 ``[N]``.

    Args:
        path: The recording.
        rate: Samples a second.
        least_s: What a spectrogram needs.

    Raises:
        Skipped: As :func:`load_recording`; ``too_short``: less than ``least_s``.
    """
    found = _read(path)
    first = found.samples[0]
    if not first.any():
        raise Skipped("nonfinite", f"{path.name}: silence in the first channel, which is the one that is heard")
    if len(first) < least_s * found.rate:
        raise Skipped("too_short", f"{path.name} has {len(first) / found.rate:.3f} s; {least_s} s are needed")
    return _resampled(first, found.rate, rate)


def _resampled(samples: Samples, rate: int, new_rate: int) -> Samples:
    import torch

    from fvhydra.metrics.models.sound import resample

    return resample(torch.from_numpy(samples), rate, new_rate).numpy()


def _read(path: Path) -> Recording:
    from fvhydra.media.audio import read_audio

    try:
        found = read_audio(path)
    except MediaError as error:
        raise Skipped("unreadable", error.message) from error
    if not np.isfinite(found.samples).all():
        raise Skipped("nonfinite", f"{path.name} holds samples that are no finite numbers")
    if not found.samples.any():
        raise Skipped("nonfinite", f"{path.name}: silence cannot be judged")
    return found
