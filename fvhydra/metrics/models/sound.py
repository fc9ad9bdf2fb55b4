# SPDX-License-Identifier: Apache-2.0
"""Front ends of audio networks: resampling, mel filter banks and spectrograms, in the precision of what they are given.

They are what the networks were trained on, so every window, padding and rounding is part of a network's weights.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

_LOBES, _ROLLOFF = 6, 0.99

_KALDI_FRAME, _KALDI_HOP, _KALDI_FFT = 400, 160, 512
_KALDI_LEAST = float(np.finfo(np.float32).eps)


def resample(samples: torch.Tensor, rate: int, new_rate: int) -> torch.Tensor:
    """Another rate, by a sinc under a Hann window of six lobes on each side, as torchaudio's default.

    Args:
        samples: float ``[..., N]`` at ``rate``.
        rate: Samples a second.
        new_rate: Samples a second of the result, ``[..., ceil(N * new_rate / rate)]``.
    """
    common = math.gcd(rate, new_rate)
    old, new = rate // common, new_rate // common
    if old == new:
        return samples
    kernel, reach = _sinc_kernel(old, new)
    padded = F.pad(samples.reshape(-1, 1, samples.shape[-1]), (reach, reach + old))
    phases = F.conv1d(padded, kernel.to(samples.device, samples.dtype)[:, None], stride=old)
    length = -(-new * samples.shape[-1] // old)
    return phases.transpose(1, 2).reshape(*samples.shape[:-1], -1)[..., :length]


@lru_cache(maxsize=32)
def _sinc_kernel(old: int, new: int) -> tuple[torch.Tensor, int]:
    """float64 ``[new, taps]``, a filter for each phase, and how far it reaches to the left."""
    band = _ROLLOFF * min(old, new)
    reach = math.ceil(_LOBES * old / band)
    taps = np.arange(-reach, reach + old) / old
    time = np.clip((taps - np.arange(new)[:, None] / new) * band, -_LOBES, _LOBES)
    window = np.cos(np.pi * time / _LOBES / 2) ** 2
    return torch.from_numpy(np.sinc(time) * window * band / old), reach


def power_spectrogram(samples: torch.Tensor, fft: int, window: torch.Tensor, hop: int) -> torch.Tensor:
    """Squared magnitudes ``[..., fft / 2 + 1, frames]`` of ``[..., N]``; frames are centred, ends are mirrored.

    The window, which may be shorter than the transform, is centred in it.
    """
    flat = samples.reshape(-1, samples.shape[-1])
    transformed = torch.stft(flat, fft, hop, len(window), window.to(samples), center=True, return_complex=True)
    power = torch.view_as_real(transformed).square().sum(-1)
    return power.reshape(*samples.shape[:-1], *power.shape[1:])


def kaldi_mel_bank(bins: int, fft: int, rate: int, low_hz: float, high_hz: float) -> torch.Tensor:
    """Triangles on Kaldi's mel scale, ``1127 ln(1 + f / 700)``: float64 ``[bins, fft / 2 + 1]``.

    They are straight in mel, not in Hz, and nothing is taken from the Nyquist frequency.
    """
    edges = np.linspace(_kaldi_mel(low_hz), _kaldi_mel(high_hz), bins + 2)
    bank = _triangles(_kaldi_mel(np.arange(fft // 2) * (rate / fft)), edges)
    return torch.from_numpy(np.pad(bank, ((0, 0), (0, 1))))


def _kaldi_mel(hertz: float | NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(1127.0 * np.log1p(np.asarray(hertz) / 700.0))


def _triangles(points: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each rises from an edge to the next and falls to the one after: ``[edges - 2, points]``."""
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rise, fall = (points - left) / (centre - left), (right - points) / (right - centre)
    return np.maximum(0.0, np.minimum(rise, fall))


def kaldi_filter_bank(samples: torch.Tensor, bins: int) -> torch.Tensor:
    """Kaldi's logarithmic filter bank, without dither, of sound at 16 kHz: ``[..., bins, frames]`` of ``[..., N]``.

    Frames of 25 ms every 10 ms, as many as fit; each less its mean, with preemphasis of 0.97, under a Hann window.
    """
    frames = samples.unfold(-1, _KALDI_FRAME, _KALDI_HOP)
    frames = frames - frames.mean(-1, keepdim=True)
    frames = frames - 0.97 * torch.cat([frames[..., :1], frames[..., :-1]], -1)
    window = torch.hann_window(_KALDI_FRAME, periodic=False, dtype=samples.dtype, device=samples.device)
    power = torch.fft.rfft(frames * window, _KALDI_FFT).abs().square()
    energies: torch.Tensor = power @ _kaldi_bank(bins).to(power).T
    return energies.clamp(min=_KALDI_LEAST).log().transpose(-1, -2)


@lru_cache
def _kaldi_bank(bins: int) -> torch.Tensor:
    return kaldi_mel_bank(bins, _KALDI_FFT, 16_000, 20.0, 8_000.0)


def htk_mel_bank(bins: int, fft: int, rate: int) -> torch.Tensor:
    """Triangles on HTK's mel scale, ``2595 log10(1 + f / 700)``, from 0 to half the rate.

    They are straight in Hz, of height 1: float64 ``[fft / 2 + 1, bins]``.
    """
    highest = 2595 * math.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, highest, bins + 2) / 2595) - 1)
    return torch.from_numpy(_triangles(np.linspace(0, rate / 2, fft // 2 + 1), edges).T.copy())
