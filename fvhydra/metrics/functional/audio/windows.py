# SPDX-License-Identifier: Apache-2.0
"""How a recording is cut up for PaSST, the network of the KL divergence and of the Fréchet audio distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

PASST_RATE_HZ = 32_000
_WINDOW = 10 * PASST_RATE_HZ
_STEP = 5 * PASST_RATE_HZ
_LEAST_PADDED = int(1.5 * PASST_RATE_HZ)


def normalise_peak(samples: Samples, peak_dbfs: float = -1.0) -> Samples:
    """Scale so that the largest absolute sample is ``peak_dbfs`` (as pyloudnorm's ``normalize.peak``).

    Args:
        samples: float32 ``[N]``.
        peak_dbfs: Decibels against 1.0.

    Raises:
        ValueError: Nothing to scale: no samples, or silence.

    Example:
        >>> normalise_peak(np.array([0.0, -0.25], np.float32)).round(4).tolist()
        [0.0, -0.8913000226020813]
    """
    loudest = float(np.abs(samples).max(initial=0.0))
    if loudest == 0.0:
        raise ValueError("silence has no peak to normalise")
    return np.asarray(samples * (10 ** (peak_dbfs / 20) / loudest), samples.dtype)


def kl_windows(samples: Samples) -> list[Samples]:
    """Windows of 10 s every 5 s whose logits are averaged, as FastVideo's ``audio.kl_divergence`` takes them.

    A window that the recording does not fill is padded with zeros; one of 1.5 s or less is passed as short as it is.

    Args:
        samples: float32 ``[N]`` at 32 kHz, peak-normalised.

    Raises:
        ValueError: No samples.

    Example:
        >>> [len(window) // PASST_RATE_HZ for window in kl_windows(np.ones(12 * PASST_RATE_HZ, np.float32))]
        [10, 10]
    """
    if not len(samples):
        raise ValueError("a recording without samples has no windows")
    starts = range(0, max(_STEP, len(samples) - _STEP), _STEP)
    windows = [samples[start : start + _WINDOW] for start in starts]
    return [_filled(window) if len(window) > _LEAST_PADDED else window for window in windows]


def fad_window(samples: Samples) -> Samples:
    """The first 10 s, padded with zeros, as FastVideo's ``audio.frechet_distance`` takes them.

    Args:
        samples: float32 ``[N]`` at 32 kHz, peak-normalised.

    Example:
        >>> len(fad_window(np.ones(PASST_RATE_HZ, np.float32))) // PASST_RATE_HZ
        10
    """
    return _filled(samples[:_WINDOW])


def benchmark_window(samples: Samples, seconds: float = 8.0) -> Samples:
    """The first seconds, padded with zeros to 10, as av-benchmark takes them for both metrics.

    Args:
        samples: float32 ``[N]`` at 32 kHz, less their mean.
        seconds: How much is heard, at most 10.

    Example:
        >>> len(benchmark_window(np.ones(9 * PASST_RATE_HZ, np.float32)).nonzero()[0]) // PASST_RATE_HZ
        8
    """
    return _filled(samples[: min(round(seconds * PASST_RATE_HZ), _WINDOW)])


def _filled(window: Samples) -> Samples:
    return np.pad(window, (0, _WINDOW - len(window)))
