# SPDX-License-Identifier: Apache-2.0
"""VBench's dimensions of change over time: flickering, smoothness, degree of motion, consistency of features."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fvhydra.metrics.functional.clips import Clip, require_clip
from fvhydra.metrics.functional.parity import Parity

DYNAMIC_SHARE, STATIC_SHARE = 0.05, 0.02
"""Of the vectors of a flow, the longest, whose mean says how much moves."""

_SAMPLED_FPS = 8
"""Degree of motion is measured at this rate, whatever the clip's."""


def frame_differences(clip: Clip) -> NDArray[np.float64]:
    """Mean absolute difference of each frame and the next one.

    A chunk of a clip must begin with the last frame of the chunk before.

    Args:
        clip: uint8 ``[T, H, W, 3]``.

    Returns:
        float64 ``[T - 1]``, 0 to 255.

    Raises:
        ValueError: No clip.

    Example:
        >>> clip = np.zeros((3, 4, 4, 3), np.uint8)
        >>> clip[2] = 51
        >>> frame_differences(clip).tolist()
        [0.0, 51.0]
    """
    require_clip(clip, "clip")
    sums = [cv2.norm(frame, following, cv2.NORM_L1) for frame, following in itertools.pairwise(clip)]
    return np.asarray(np.asarray(sums, np.float64) / clip[0].size)


def temporal_flickering(differences: NDArray[np.float64], parity: Parity = "upstream") -> float:
    """``(255 - mean) / 255`` of the differences; 0 to 1, higher is better, 1 for a clip that does not move.

    Args:
        differences: Of :func:`frame_differences`.
        parity: A clip of one frame has no differences: ``upstream`` refuses it, ``peer`` scores it 1.

    Raises:
        ValueError: No differences, and ``parity="upstream"``.

    Example:
        >>> temporal_flickering(np.array([0.0, 51.0]))
        0.9
    """
    return _steadiness(differences, parity)


def motion_smoothness(differences: NDArray[np.float64], parity: Parity = "upstream") -> float:
    """``(255 - mean) / 255`` of what interpolation leaves; 0 to 1, higher is better.

    Args:
        differences: Of :func:`interpolation_difference`, one a frame of odd index that has a frame after it.
        parity: A clip of two frames has none: ``upstream`` refuses it, ``peer`` scores it 1.

    Raises:
        ValueError: No differences, and ``parity="upstream"``.

    Example:
        >>> motion_smoothness(np.array([25.5]))
        0.9
    """
    return _steadiness(differences, parity)


def interpolation_difference(interpolated: NDArray[np.floating], frame: NDArray[np.uint8]) -> float:
    """Mean absolute difference of a frame and what its neighbours predict, 0 to 255.

    Args:
        interpolated: Real ``[H, W, 3]``, what a network makes of the frames before and after; about 0 to 1. It is cut
            down to whole steps of 255, as VBench does.
        frame: uint8 ``[H, W, 3]``.

    Raises:
        ValueError: The shapes differ.

    Example:
        >>> interpolation_difference(np.full((4, 4, 3), 0.5), np.full((4, 4, 3), 127, np.uint8))
        0.0
    """
    if interpolated.shape != frame.shape:
        raise ValueError(f"frames differ in shape: {list(interpolated.shape)} and {list(frame.shape)}")
    predicted = np.clip(interpolated * 255, 0, 255).astype(np.uint8)
    return float(cv2.norm(predicted, frame, cv2.NORM_L1)) / frame.size


@dataclass(frozen=True)
class DynamicDegree:
    """Whether a clip moves much.

    Attributes:
        score: 1 or 0.
        threshold_px: A pair of frames moves when its magnitude is above this.
        count_above: Pairs that move.
        count_needed: Pairs that have to.
    """

    score: float
    threshold_px: float
    count_above: int
    count_needed: int


def dynamic_stride(fps: float) -> int:
    """Every how many frames the flow is computed, so as to look at about 8 a second (halves round to even).

    Raises:
        ValueError: ``fps`` is not above 0.

    Example:
        >>> dynamic_stride(24), dynamic_stride(8), dynamic_stride(4)
        (3, 1, 1)
    """
    if not fps > 0:
        raise ValueError(f"a frame rate is above 0, not {fps}")
    return max(1, round(fps / _SAMPLED_FPS))


def flow_magnitude(flow: NDArray[np.floating], share: float = DYNAMIC_SHARE) -> float:
    """Mean length of the longest vectors of a flow, in pixels.

    Args:
        flow: Real ``[H, W, 2]``.
        share: Of the vectors, how many count: 5 % for the degree of motion.

    Raises:
        ValueError: Another shape, or so few vectors that none counts.

    Example:
        >>> flow = np.zeros((5, 8, 2))
        >>> flow[0, :2] = (3.0, 4.0)
        >>> flow_magnitude(flow)
        5.0
    """
    if flow.ndim != 3 or flow.shape[-1] != 2 or (count := int(share * flow.shape[0] * flow.shape[1])) < 1:
        raise ValueError(f"a flow is [H, W, 2] of {1 / share:.0f} pixels or more, not {list(flow.shape)}")
    lengths = np.sqrt(np.square(flow).sum(axis=-1)).ravel()
    return float(np.partition(lengths, lengths.size - count)[-count:].mean())


def dynamic_degree(
    magnitudes: Sequence[float], height: int, width: int, frames: int, parity: Parity = "upstream"
) -> DynamicDegree:
    """Whether enough pairs of frames move: ``count(m > 6 min(H, W) / 256) >= round(4 frames / 16)``.

    Two frames need no moving pair, so that they always count as moving: the benchmark does that too.

    Args:
        magnitudes: Of :func:`flow_magnitude`, one a pair.
        height: Rows of the frames.
        width: Columns.
        frames: How many frames there are after taking each :func:`dynamic_stride`-th.
        parity: Without any pair ``upstream`` scores 0 and ``peer`` 1.

    Example:
        >>> dynamic_degree([9.0, 0.0, 8.0], height=256, width=256, frames=8)
        DynamicDegree(score=1.0, threshold_px=6.0, count_above=2, count_needed=2)
    """
    threshold_px = 6.0 * min(height, width) / 256
    needed = round(4 * frames / 16)
    above = sum(magnitude > threshold_px for magnitude in magnitudes)
    moves = above >= needed and (len(magnitudes) > 0 or parity == "peer")
    return DynamicDegree(float(moves), threshold_px, above, needed)


def stands_still(
    magnitudes: Sequence[float], between_ends: Sequence[float], height: int, width: int, frames: int
) -> bool:
    """Whether a clip counts as static: VBench measures flickering only of those that do.

    At most ``n = round(2 frames / 16)`` pairs may move by more than ``t = 3 min(H, W) / 256``, and between its first
    and last frame it may not move by more than ``2 n t``.

    Args:
        magnitudes: Of :func:`flow_magnitude` with ``share=STATIC_SHARE``, one a pair of neighbouring frames.
        between_ends: From the first frame to the last one, and back.
        height: Rows of the frames.
        width: Columns.
        frames: How many frames there are.

    Example:
        >>> stands_still([0.1] * 15, [0.3, 0.3], height=256, width=256, frames=16)
        True
        >>> stands_still([0.1] * 15, [12.5, 0.3], height=256, width=256, frames=16)
        False
    """
    threshold, allowed = 3.0 * min(height, width) / 256, round(2 * (frames / 16))
    few = sum(magnitude > threshold for magnitude in magnitudes) <= allowed
    return few and all(magnitude <= threshold * allowed * 2 for magnitude in between_ends)


def consistency_terms(features: NDArray[np.floating]) -> NDArray[np.float64]:
    """How like each frame is to the one before and to the first: ``(max(0, cos_before) + max(0, cos_first)) / 2``.

    Of ``vbench.subject_consistency`` (DINO features) and ``vbench.background_consistency`` (CLIP features).

    Args:
        features: Real ``[T, D]``, one row a frame, of any length.

    Returns:
        float64 ``[T - 1]``, 0 to 1.

    Raises:
        ValueError: Another shape, or a row of zeros, which has no direction.

    Example:
        >>> consistency_terms(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])).tolist()
        [1.0, 0.0]
    """
    if features.ndim != 2 or not len(features):
        raise ValueError(f"features must be [T, D], not {list(features.shape)}")
    norms = np.linalg.norm(features.astype(np.float64), axis=1, keepdims=True)
    if not norms.all():
        raise ValueError("a feature of zeros has no direction")
    unit = features / norms
    before, first = (unit[1:] * unit[:-1]).sum(axis=1), unit[1:] @ unit[0]
    return np.asarray((np.maximum(before, 0) + np.maximum(first, 0)) / 2)


def consistency(terms: NDArray[np.float64], parity: Parity = "upstream") -> float:
    """The mean of :func:`consistency_terms`; 0 to 1, higher is better.

    Args:
        terms: One a frame after the first.
        parity: A clip of one frame has none: ``upstream`` refuses it, ``peer`` scores it 1.

    Raises:
        ValueError: No terms, and ``parity="upstream"``.

    Example:
        >>> consistency(np.array([1.0, 0.5]))
        0.75
    """
    return _mean_or_ideal(terms, parity)


def _steadiness(differences: NDArray[np.float64], parity: Parity) -> float:
    return _mean_or_ideal((255 - differences) / 255, parity)


def _mean_or_ideal(values: NDArray[np.float64], parity: Parity) -> float:
    if len(values):
        return float(values.mean())
    if parity == "peer":
        return 1.0
    raise ValueError("the clip is too short: there is nothing to compare")
