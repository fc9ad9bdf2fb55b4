# SPDX-License-Identifier: Apache-2.0
"""SSIM and MS-SSIM of one clip by one kernel: filtering frames in full size is most of the work of either."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fvhydra.metrics.base import SampleVideos, Shared
from fvhydra.similarity.structure import StructuralSimilarity, Structure

Frames = NDArray[np.uint8]
SsimKind = Literal["ssim", "ms_ssim"]

SIDE = 11
"""Of the window that MS-SSIM has, and SSIM unless another is asked for."""


class Structures:
    """The SSIM kernel that both metrics share while a clip is read; both may use it at once, from their threads.

    Args:
        height: Rows, at least 11.
        width: Columns, at least 11.
    """

    def __init__(self, height: int, width: int) -> None:
        self._size = height, width
        self._wanted: set[SsimKind] = set()
        self._idle: defaultdict[frozenset[SsimKind], deque[StructuralSimilarity]] = defaultdict(deque)

    @classmethod
    def of(cls, clip: SampleVideos, measure: SsimKind) -> Structures:
        """The object of a clip, which notes that ``measure`` is wanted; to be called before the first frames come."""
        track = clip.tracks["video"]
        found = clip.shared("structures", lambda: cls(track.height, track.width))
        found._wanted.add(measure)
        return found

    def ssim(self, reference: Frames, generated: Frames, shared: Shared) -> NDArray[np.float64]:
        """SSIM with black around the frames, as :func:`fvhydra.metrics.functional.pixel.ssim`; float64 ``[n]``."""
        values = [self._frame(index, reference, generated, shared).ssim for index in range(len(reference))]
        return np.asarray(values, np.float64)

    def ms_ssim(self, reference: Frames, generated: Frames, shared: Shared) -> NDArray[np.float64]:
        """As :func:`fvhydra.metrics.functional.pixel.ms_ssim`; float64 ``[n]``."""
        # from the last frame to the first: in two threads, the metrics meet in the middle and each has done half
        order = reversed(range(len(reference)))
        values = [self._frame(index, reference, generated, shared).ms_ssim for index in order]
        return np.asarray(values[::-1], np.float64)

    def _frame(self, index: int, reference: Frames, generated: Frames, shared: Shared) -> Structure:
        wanted = frozenset(self._wanted)

        def measure() -> Structure:
            try:
                kernel = self._idle[wanted].pop()
            except IndexError:  # as many kernels as threads
                most_levels = 5 if "ms_ssim" in wanted else 1
                kernel = StructuralSimilarity(*self._size, most_levels=most_levels, margin=SIDE // 2)
            try:
                return kernel(reference[index], generated[index], with_ssim="ssim" in wanted)
            finally:
                self._idle[wanted].append(kernel)

        return shared(("structures", wanted, index), measure)
