# SPDX-License-Identifier: Apache-2.0
"""The divergence between the class distributions that a network has for two recordings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.floating]


def kl_softmax(reference: Logits, generated: Logits) -> float:
    """KL(reference || generated) of the softmax distributions, in nats; 0 or more, lower is better, 0 for equal ones.

    ``sum_c p_ref (log p_ref - log p_gen)``, the score of ``audio.kl_divergence`` in av-benchmark and FastVideo.

    Args:
        reference: ``[C]``, the logits of the reference's audio (averaged over its windows).
        generated: ``[C]``.

    Raises:
        ValueError: The shapes are no ``[C]``, differ, or hold values that are not finite (as silence gives).

    Example:
        >>> kl_softmax(np.zeros(3), np.zeros(3)), round(kl_softmax(np.log([1.0, 3]), np.log([1.0, 1])), 4)
        (0.0, 0.1308)
    """
    logits = [_checked(reference), _checked(generated)]
    _require_equal(*logits)
    log_reference, log_generated = (values - np.logaddexp.reduce(values) for values in logits)
    return max(float(np.exp(log_reference) @ (log_reference - log_generated)), 0.0)


def kl_sigmoid(reference: Logits, generated: Logits) -> float:
    """``sum_c s_ref (log s_ref - log s_gen)`` of the sigmoids: a diagnostic of av-benchmark, and no divergence.

    It lacks the terms of 1 - s, so that it may be negative and has no bound below. Never rank by it.

    Args:
        reference: ``[C]`` logits.
        generated: ``[C]`` logits.

    Raises:
        ValueError: As :func:`kl_softmax`.

    Example:
        >>> round(kl_sigmoid(np.zeros(1), np.array([np.log(3)])), 4)
        -0.2027
    """
    logits = [_checked(reference), _checked(generated)]
    _require_equal(*logits)
    log_reference, log_generated = (-np.logaddexp(0, -values) for values in logits)
    return float(np.exp(log_reference) @ (log_reference - log_generated))


def _checked(logits: Logits) -> NDArray[np.float64]:
    if logits.ndim != 1 or not logits.size:
        raise ValueError(f"logits must be [C], not {list(logits.shape)}")
    if not np.isfinite(logits).all():
        raise ValueError("logits must be finite: is the recording silent or corrupt?")
    return logits.astype(np.float64)


def _require_equal(reference: Logits, generated: Logits) -> None:
    if reference.shape != generated.shape:
        raise ValueError(f"logits differ in shape: {list(reference.shape)} and {list(generated.shape)}")
