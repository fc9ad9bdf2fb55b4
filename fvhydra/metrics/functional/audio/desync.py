# SPDX-License-Identifier: Apache-2.0
"""The offset of sound and picture, from Synchformer's logits for the first and the last seconds.

Iashin et al., "Synchformer: efficient synchronization from sparse cues" (2024), as av-benchmark applies it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fvhydra.metrics.functional.parity import Parity

VIDEO_FPS = 25
SEGMENTS = 14
"""How many segments Synchformer compares at once."""

FRAMES, FRAME_STEP = 16, 8
SAMPLES, SAMPLE_STEP = 10_240, 5_120
"""Of a segment, and from one to the next."""

_OFFSETS_S = np.linspace(-2, 2, 21)


@dataclass(frozen=True)
class Desync:
    """``score`` is the mean of the absolute offsets, in seconds: 0 to 2, lower is better."""

    score: float
    front_desync_s: float
    back_desync_s: float


def resampled_frames(frames: int, fps: float) -> list[int]:
    """Which frames stand for a clip at 25 fps: the nearest before, 16 at least, the last one again where they run out.

    Args:
        frames: T, at least 1.
        fps: Of the clip.

    Raises:
        ValueError: No frames, or a rate that is not above 0.

    Example:
        >>> resampled_frames(4, fps=5)
        [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3]
    """
    if frames < 1 or not fps > 0:
        raise ValueError(f"a clip has frames and a frame rate above 0, not {frames} and {fps}")
    count = max(FRAMES, round(frames / fps * VIDEO_FPS))
    return [min(frame_at(index, fps, "peer"), frames - 1) for index in range(count)]


def frame_at(index: int, fps: float, parity: Parity) -> int:
    """Which frame of a clip without an end stands at ``index / 25`` s.

    ``peer``: the latest that has begun, as :func:`resampled_frames`. ``upstream``: the nearest, as FFmpeg's filter
    ``fps`` rounds, through which av-benchmark reads clips.

    Example:
        >>> [frame_at(index, 30, "upstream") for index in range(5)], [frame_at(index, 30, "peer") for index in range(5)]
        ([0, 1, 2, 4, 5], [0, 1, 2, 3, 4])
    """
    if parity == "peer":
        return int(index * fps / VIDEO_FPS)
    return math.ceil(Fraction(2 * index + 1, 2) * Fraction(fps) / VIDEO_FPS) - 1


def segment_counts(frames: int, samples: int) -> tuple[int, int]:
    """How many segments a clip at 25 fps and a sound at 16 kHz have: of 16 frames every 8, of 0.64 s every 0.32 s.

    Example:
        >>> segment_counts(frames=32, samples=20_480)
        (3, 3)
    """
    return _segments(frames, FRAMES, FRAME_STEP), _segments(samples, SAMPLES, SAMPLE_STEP)


def desync(front: NDArray[np.floating], back: NDArray[np.floating]) -> Desync:
    """The offsets that the likeliest classes stand for, in steps of 0.2 s from -2 to 2 s.

    Args:
        front: Logits of the first fourteen segments, real ``[21]``.
        back: Logits of the last fourteen, real ``[21]``.

    Raises:
        ValueError: Other shapes.

    Example:
        >>> in_time, late = np.eye(21)[10], np.eye(21)[15]
        >>> desync(in_time, late)
        Desync(score=0.5, front_desync_s=0.0, back_desync_s=1.0)
    """
    if not front.shape == back.shape == _OFFSETS_S.shape:
        raise ValueError(f"logits must be [{_OFFSETS_S.size}], not {list(front.shape)} and {list(back.shape)}")
    first, last = (float(_OFFSETS_S[np.argmax(logits)]) for logits in (front, back))
    return Desync((abs(first) + abs(last)) / 2, first, last)


def _segments(length: int, size: int, step: int) -> int:
    return max((length - size) // step + 1, 0)
