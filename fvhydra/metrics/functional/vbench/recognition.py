# SPDX-License-Identifier: Apache-2.0
"""VBench's dimensions that compare what a network recognises in a clip with the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fvhydra.metrics.functional.parity import Parity

_LEAST_PROBABILITY = 0.85
_TOP = 5


def text_similarity(frames: NDArray[np.floating], text: NDArray[np.floating]) -> NDArray[np.float64]:
    """Cosine of each frame's feature and the text's, -1 to 1, higher is better.

    The score of ``vbench.appearance_style`` (CLIP) is the mean over the frames; ``vbench.overall_consistency`` and
    ``vbench.temporal_style`` (ViCLIP) have one feature for the whole clip.

    Args:
        frames: Real ``[T, D]``.
        text: Real ``[D]``.

    Returns:
        float64 ``[T]``.

    Raises:
        ValueError: Other shapes, or a feature of zeros.

    Example:
        >>> text_similarity(np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([1.0, 0.0])).tolist()
        [1.0, 0.0]
    """
    if frames.ndim != 2 or text.shape != frames.shape[1:]:
        raise ValueError(f"features must be [T, D] and [D], not {list(frames.shape)} and {list(text.shape)}")
    norms = np.linalg.norm(frames.astype(np.float64), axis=1) * np.linalg.norm(text.astype(np.float64))
    if not norms.all():
        raise ValueError("a feature of zeros has no direction")
    return np.asarray(frames.astype(np.float64) @ text.astype(np.float64) / norms)


def aesthetic_quality(features: NDArray[np.floating], weight: NDArray[np.floating], bias: float) -> NDArray[np.float64]:
    """What the LAION head makes of each frame: ``(weight . f / |f| + bias) / 10``; about 0 to 1, higher is better.

    Args:
        features: CLIP ViT-L/14, real ``[T, 768]``.
        weight: Of the linear head, ``[768]``.
        bias: Of the linear head.

    Raises:
        ValueError: Other shapes, or a feature of zeros.

    Example:
        >>> aesthetic_quality(np.array([[3.0, 4.0]]), weight=np.array([5.0, 0.0]), bias=2.0).round(6).tolist()
        [0.5]
    """
    length = float(np.linalg.norm(weight.astype(np.float64)))
    return np.asarray((text_similarity(features, weight) * length + bias) / 10)


@dataclass(frozen=True)
class Action:
    """Whether a person in the clip does what was asked for.

    Attributes:
        score: 1 or 0.
        predictions: What is seen with a probability of 0.85 or more, of the five likeliest, likeliest first.
        expected: What was looked for.
    """

    score: float
    predictions: tuple[str, ...]
    expected: str


def human_action(
    logits: NDArray[np.floating], classes: Sequence[str], prompt: str, parity: Parity = "upstream"
) -> Action:
    """Look for the action of a prompt among the recognised ones.

    Args:
        logits: Of UMT, real ``[400]``; each class has a sigmoid of its own.
        classes: Their names.
        prompt: ``A person is riding a bike``, or the action alone.
        parity: ``upstream`` looks for what follows ``person is``, among probabilities rounded to 4 decimals. ``peer``
            does not round, and looks for the whole prompt: one of VBench's never is the name of a class.

    Raises:
        ValueError: Not as many logits as classes.

    Example:
        >>> human_action(np.array([3.0, -1.0]), ["riding a bike", "yoga"], "A person is riding a bike")
        Action(score=1.0, predictions=('riding a bike',), expected='riding a bike')
    """
    if logits.shape != (len(classes),):
        raise ValueError(f"{len(classes)} classes need as many logits, not {list(logits.shape)}")
    expected = prompt.strip().lower()
    probabilities = 1 / (1 + np.exp(-logits.astype(np.float64)))
    if parity == "upstream":
        expected = expected.rpartition("person is ")[2]
        probabilities = probabilities.round(4)
    likeliest = np.argsort(-logits, kind="stable")[:_TOP]
    predictions = tuple(classes[index].lower() for index in likeliest if probabilities[index] >= _LEAST_PROBABILITY)
    return Action(float(expected in predictions), predictions, expected)
