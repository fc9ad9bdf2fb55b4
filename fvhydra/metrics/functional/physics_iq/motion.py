# SPDX-License-Identifier: Apache-2.0
"""Where a clip moves: masks of what differs from a running average of the frames before.

A mask is uint8 ``[H, W]``, 255 where something moves and 0 where nothing does, as the benchmark keeps them in files.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
Mask = NDArray[np.uint8]

_KERNEL = np.ones((5, 5), np.uint8)


class MotionMasks:
    """The pixels of each frame that move, one mask a frame, as the frames come.

    With g the blurred grey frame, the average ``A <- (1 - alpha) A + alpha g`` starts as the first frame; what moves is
    ``|g - round(A)| > threshold``, opened and closed by 5x5. The first mask is empty.

    Args:
        threshold: Of 255.
        alpha: Weight of the newest frame in the average, 0 to 1.
    """

    def __init__(self, threshold: int = 10, alpha: float = 0.3) -> None:
        self._threshold = threshold
        self._alpha = alpha
        self._average: NDArray[np.float64] | None = None

    def __call__(self, frame: Frame) -> Mask:
        """The mask of the next frame, uint8 ``[H, W]``.

        Args:
            frame: uint8 ``[H, W, 3]`` RGB, of one size with those before, at full resolution.
        """
        grey = cv2.GaussianBlur(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), (5, 5), 0)
        if self._average is None:
            self._average = grey.astype(np.float64)
            return np.zeros(grey.shape, np.uint8)
        cv2.accumulateWeighted(grey, self._average, self._alpha)
        change = cv2.absdiff(grey, cv2.convertScaleAbs(self._average))
        moving = cv2.threshold(change, self._threshold, 255, cv2.THRESH_BINARY)[1]
        opened = cv2.morphologyEx(moving, cv2.MORPH_OPEN, _KERNEL)
        return np.asarray(cv2.morphologyEx(opened, cv2.MORPH_CLOSE, _KERNEL), np.uint8)


def motion_masks(frames: Iterable[Frame], threshold: int = 10, alpha: float = 0.3) -> Iterator[Mask]:
    """The masks of a whole clip, see :class:`MotionMasks`.

    Example:
        >>> frames = np.zeros((2, 32, 32, 3), np.uint8)
        >>> frames[1, 8:24, 8:24] = 255
        >>> [int((mask > 0).sum()) for mask in motion_masks(frames)]
        [0, 380]
    """
    return map(MotionMasks(threshold, alpha), frames)


def through_mp4(masks: Iterable[Mask], fps: float) -> Iterator[Mask]:
    """What is left of masks that were written to an MPEG-4 file and read again, as the benchmark's own are.

    Lossy, by up to 7 % of the weighted IoU of a small clip, and it depends on the build of the codec: only for numbers
    to be set beside the leaderboard's. The last row and column of odd sizes are lost.

    Args:
        masks: uint8 ``[H, W]``, all of one size.
        fps: Frame rate of the file.

    Yields:
        uint8 ``[H, W]``, of any grey level.

    Example:
        >>> white = np.full((16, 17), 255, np.uint8)
        >>> [mask.shape for mask in through_mp4([white, white], fps=8)]
        [(16, 16), (16, 16)]
    """
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "masks.mp4")
        writer: cv2.VideoWriter | None = None
        for mask in masks:
            if writer is None:
                writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"mp4v"), fps, mask.shape[::-1], isColor=False)
            writer.write(mask)
        if writer is None:
            return
        writer.release()
        reader = cv2.VideoCapture(path)
        found, frame = reader.read()
        while found:
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
            found, frame = reader.read()
        reader.release()
