# SPDX-License-Identifier: Apache-2.0
"""Marks of 1 to 5 from VideoScore2's answers and token probabilities.

He et al., "VideoScore2: think before you score in generative video evaluation" (2025).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

QUESTION = """
    You are an expert for evaluating AI-generated videos from three dimensions:
    (1) visual quality – clarity, smoothness, artifacts;
    (2) text-to-video alignment – fidelity to the prompt;
    (3) physical/common-sense consistency – naturalness and physics plausibility.

    Video prompt: {prompt}

    Please output in this format:
    visual quality: <v_score>;\x20
    text-to-video alignment: <t_score>,\x20
    physical/common-sense consistency: <p_score>
    """
"""What the checkpoint was made to be asked, to the last space."""

DIMENSIONS = ("visual_quality", "text_alignment", "physical_consistency")
MARKS = (1, 2, 3, 4, 5)

_ANSWER = re.compile(
    r"\(1\)\s*visual quality\D*(\d+).*?"
    r"\(2\)\s*text-to-video alignment\D*(\d+).*?"
    r"\(3\)\s*physical/common-sense consistency\D*(\d+)",
    re.IGNORECASE | re.DOTALL,
)
_LONGEST_SIDE = 960
_MOST_FRAMES = 64
_SAMPLED_FPS = 2.0


def parse_marks(answer: str) -> Mapping[str, int] | None:
    """The number after each of the three numbered headings; None where one is missing, which is no score at all.

    FastVideo's evaluation scores such an answer 0, outside of the marks. A number is taken as it stands: 10 is 10.

    Example:
        >>> answer = "(1) visual quality: 4 (2) text-to-video alignment: 3 (3) physical/common-sense consistency: 5"
        >>> dict(parse_marks(answer)), parse_marks("good")
        ({'visual_quality': 4, 'text_alignment': 3, 'physical_consistency': 5}, None)
    """
    found = _ANSWER.search(answer)
    return dict(zip(DIMENSIONS, map(int, found.groups()), strict=True)) if found else None


def mark_places(answer: str) -> Mapping[str, int] | None:
    """Where in the answer the first digit of each number of :func:`parse_marks` stands.

    Example:
        >>> answer = "(1) visual quality: 4 (2) text-to-video alignment: 3 (3) physical/common-sense consistency: 5"
        >>> [answer[place] for place in mark_places(answer).values()]
        ['4', '3', '5']
    """
    found = _ANSWER.search(answer)
    return {name: found.start(group) for group, name in enumerate(DIMENSIONS, start=1)} if found else None


def confident_mark(probabilities: NDArray[np.floating]) -> float:
    """The likeliest mark times its share: what VideoScore2 calls a soft score.

    It is no expectation: a 3 with a share of 0.6 becomes 1.8. :func:`expected_mark` is one.

    Args:
        probabilities: Of the five marks, real ``[5]``, 0 or more, of any sum above 0.

    Returns:
        0.2 to 5, with four decimals.

    Raises:
        ValueError: Another shape, or nothing above 0.

    Example:
        >>> confident_mark(np.array([0.0, 0.1, 0.6, 0.3, 0.0]))
        1.8
    """
    shares = _shares(probabilities)
    best = int(np.argmax(shares))
    return round(float(MARKS[best] * shares[best]), 4)


def expected_mark(probabilities: NDArray[np.floating]) -> float:
    """The mean of the marks under their probabilities, 1 to 5.

    Args:
        probabilities: As for :func:`confident_mark`.

    Raises:
        ValueError: Another shape, or nothing above 0.

    Example:
        >>> round(expected_mark(np.array([0.0, 0.1, 0.6, 0.3, 0.0])), 4)
        3.2
    """
    return float(_shares(probabilities) @ np.asarray(MARKS, np.float64))


def sampled_frames(frames: int, fps: float | None) -> list[int]:
    """Which frames it is shown: two a second from the first to the last, 1 to 64; without a rate, 64 at most.

    Args:
        frames: T, at least 1.
        fps: Frames a second, or None.

    Raises:
        ValueError: No frames.

    Example:
        >>> sampled_frames(24, fps=8.0), len(sampled_frames(1000, None))
        ([0, 4, 9, 13, 18, 23], 64)
    """
    if frames < 1:
        raise ValueError("a clip needs at least one frame")
    wanted = round(frames / fps * _SAMPLED_FPS) if fps else frames
    count = min(max(wanted, 1), _MOST_FRAMES, frames)
    return [int(index) for index in np.linspace(0, frames - 1, count)]


def shown_size(height: int, width: int) -> tuple[int, int]:
    """Rows and columns it is shown: the longer side 960 at most, cut down to whole pixels.

    Example:
        >>> shown_size(1080, 1920), shown_size(480, 832)
        ((540, 960), (480, 832))
    """
    scale = min(1.0, _LONGEST_SIDE / max(height, width))
    return int(height * scale), int(width * scale)


def _shares(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    total = float(probabilities.sum())
    if probabilities.shape != (len(MARKS),) or not total > 0 or probabilities.min() < 0:
        raise ValueError(f"probabilities are [{len(MARKS)}], 0 or more and not all 0: {probabilities.tolist()}")
    return np.asarray(probabilities, np.float64) / total
