# SPDX-License-Identifier: Apache-2.0
"""The frames of a clip that a language model is shown, kept while the clip goes by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fvhydra.metrics.base import Skipped, Track


class ShownFrames:
    """Keeps what will be shown, scaled down; all frames where the container does not say how many there are.

    Args:
        track: What the clip's header says.
        fps: Frames a second that are shown.

    Raises:
        Skipped: ``too_short``: by its header the clip has one frame.
    """

    def __init__(self, track: Track, fps: float) -> None:
        self._track, self._fps = track, fps
        self._kept: list[NDArray[np.uint8]] = []
        self._count = 0
        self._wanted = None if track.frames is None else self._sampled(track.frames)

    def update(self, start: int, frames: NDArray[np.uint8]) -> None:
        """See the next frames, uint8 ``[n, H, W, 3]``, the first of which has the index ``start``."""
        from fvhydra.metrics.models.qwen_vl import scaled, shown_size

        self._count = start + len(frames)
        if self._wanted is None:
            self._kept += [frame.copy() for frame in frames]
            return
        size = shown_size(frames.shape[1:3], len(self._wanted))
        for index in self._wanted:
            if start <= index < self._count:
                self._kept.append(scaled(frames[index - start : index - start + 1], size)[0])

    def shown(self) -> NDArray[np.uint8]:
        """uint8 ``[n, rows, columns, 3]``, n even.

        Raises:
            Skipped: ``too_short``; ``unreadable``: there were not as many frames as the header said.
        """
        from fvhydra.metrics.models.qwen_vl import scaled, shown_size

        if self._wanted is None:
            wanted = self._sampled(self._count)
            size = shown_size(self._kept[0].shape[:2], len(wanted))
            return scaled(np.stack([self._kept[index] for index in wanted]), size)
        if self._count != self._track.frames:
            raise Skipped("unreadable", f"the clip has {self._count} frames, and its header says {self._track.frames}")
        return np.stack(self._kept)

    def _sampled(self, frames: int) -> list[int]:
        from fvhydra.metrics.models.qwen_vl import sampled

        try:
            return sampled(frames, self._track.fps, self._fps)
        except ValueError as error:
            raise Skipped("too_short", str(error)) from error
