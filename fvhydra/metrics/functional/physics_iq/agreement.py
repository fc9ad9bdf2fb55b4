# SPDX-License-Identifier: Apache-2.0
"""How well two clips agree in what they show and where they move: the four measures of Physics-IQ.

They are taken at a quarter of the size of the recording, which :func:`working_size` gives.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
SmallFrames = NDArray[np.float32]
SmallMasks = NDArray[np.bool_]

_DECIMALS = 4
"""The benchmark keeps values of frames in a table, rounded."""


@dataclass(frozen=True)
class Agreement:
    """The four measures of a pair of clips.

    Attributes:
        mse: float64 ``[T]``, of values in [0, 1]; lower is better.
        spatiotemporal_iou: float64 ``[T]``, of what moves in each frame; 0 to 1, higher is better. Two frames in which
            nothing moves agree (1), so a still clip scores above 0.
        spatial_iou: Of all that moves at any time; 0 to 1, higher is better.
        weighted_spatial_iou: The same, weighed by how long it moves; 0 to 1, higher is better.
    """

    mse: NDArray[np.float64]
    spatiotemporal_iou: NDArray[np.float64]
    spatial_iou: float
    weighted_spatial_iou: float


def working_size(height: int, width: int) -> tuple[int, int]:
    """Rows and columns at which a recording of this size is compared.

    Example:
        >>> working_size(480, 832)
        (120, 208)
    """
    return max(height // 4, 1), max(width // 4, 1)


def shrink_frames(frames: Iterable[Frame], size: tuple[int, int]) -> SmallFrames:
    """Frames at working size.

    Args:
        frames: uint8 ``[H, W, 3]`` RGB, of any one size.
        size: Rows and columns.

    Returns:
        float32 ``[T, h, w, 3]``, 0 to 1.

    Example:
        >>> shrink_frames(np.full((2, 16, 32, 3), 255, np.uint8), (4, 8)).shape
        (2, 4, 8, 3)
    """
    shrunk = [cv2.resize(frame, size[::-1], interpolation=cv2.INTER_LINEAR) for frame in frames]
    return (np.asarray(shrunk, np.float32) / np.float32(255)).reshape(len(shrunk), *size, 3)


def shrink_masks(masks: Iterable[NDArray[np.uint8]], size: tuple[int, int]) -> SmallMasks:
    """Motion masks at working size.

    Args:
        masks: uint8 ``[H, W]``, of any one size; above 127 moves.
        size: Rows and columns.

    Returns:
        bool ``[T, h, w]``.

    Example:
        >>> shrink_masks(np.full((1, 8, 8), 255, np.uint8), (2, 2)).tolist()
        [[[True, True], [True, True]]]
    """
    shrunk = [cv2.resize(mask, size[::-1], interpolation=cv2.INTER_LINEAR) > 127 for mask in masks]
    return np.asarray(shrunk, np.bool_).reshape(len(shrunk), *size)


def agree(frames: SmallFrames, masks: SmallMasks, other_frames: SmallFrames, other_masks: SmallMasks) -> Agreement:
    """Compare two clips; which one comes first does not matter.

    Args:
        frames: float32 ``[T, h, w, 3]``, 0 to 1, from :func:`shrink_frames`.
        masks: bool ``[T, h, w]``, from :func:`shrink_masks`.
        other_frames: Of the same shape as ``frames``.
        other_masks: Of the same shape as ``masks``.

    Raises:
        ValueError: The shapes differ, or there are no frames.

    Example:
        >>> frames, masks = np.zeros((2, 4, 4, 3), np.float32), np.zeros((2, 4, 4), np.bool_)
        >>> moved = masks.copy()
        >>> moved[1, :2] = True
        >>> found = agree(frames, masks, frames + np.float32(0.1), moved)
        >>> found.mse.tolist(), found.spatiotemporal_iou.tolist(), found.spatial_iou
        ([0.01, 0.01], [1.0, 0.0], 0.0)
    """
    found = RunningAgreement()
    found.see_frames(frames, other_frames)
    found.see_masks(masks, other_masks)
    return found.result()


class RunningAgreement:
    """Computes :class:`Agreement` as the frames come; the masks may come later than their frames."""

    def __init__(self) -> None:
        self._mse: list[NDArray[np.float64]] = []
        self._ious: list[float] = []
        self._moved: list[NDArray[np.int32]] = []

    def see_frames(self, frames: SmallFrames, other_frames: SmallFrames) -> None:
        """Compare what the next frames show.

        Raises:
            ValueError: The shapes differ.
        """
        if frames.shape != other_frames.shape:
            raise ValueError(f"frames differ in shape: {list(frames.shape)} and {list(other_frames.shape)}")
        squares = np.square(frames - other_frames).mean(axis=(1, 2, 3), dtype=np.float64)
        self._mse.append(squares.round(_DECIMALS))

    def see_masks(self, masks: SmallMasks, other_masks: SmallMasks) -> None:
        """Compare where the next frames move.

        Raises:
            ValueError: The shapes differ.
        """
        if masks.shape != other_masks.shape:
            raise ValueError(f"masks differ in shape: {list(masks.shape)} and {list(other_masks.shape)}")
        self._ious += [iou(*pair) for pair in zip(masks, other_masks, strict=True)]
        moved = [each.sum(axis=0, dtype=np.int32) for each in (masks, other_masks)]
        self._moved = [before + now for before, now in zip(self._moved, moved, strict=True)] if self._moved else moved

    def result(self) -> Agreement:
        """The measures of all frames that were seen.

        Raises:
            ValueError: None were, or not as many masks as frames.
        """
        mse, count = np.concatenate([np.empty(0), *self._mse]), len(self._ious)
        if not count or count != len(mse):
            raise ValueError(f"an agreement is of frames and as many masks, not of {len(mse)} and {count}")
        return Agreement(
            mse=mse,
            spatiotemporal_iou=np.asarray(self._ious).round(_DECIMALS),
            spatial_iou=iou(*(each > 0 for each in self._moved)),
            weighted_spatial_iou=weighted_iou(*(each / count for each in self._moved)),
        )


def iou(mask: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks of one shape; 1 where both are empty.

    Example:
        >>> iou(np.array([True, True, False]), np.array([True, False, False]))
        0.5
    """
    union = int((mask | other).sum())
    return int((mask & other).sum()) / union if union else 1.0


def weighted_iou(weights: NDArray[np.floating], others: NDArray[np.floating]) -> float:
    """``sum(min) / sum(max)`` of two arrays of one shape, 0 or more; 1 where both are 0.

    Example:
        >>> weighted_iou(np.array([1.0, 0.5]), np.array([0.5, 0.5]))
        0.6666666666666666
    """
    union = float(np.maximum(weights, others).sum(dtype=np.float64))
    return float(np.minimum(weights, others).sum(dtype=np.float64)) / union if union else 1.0
