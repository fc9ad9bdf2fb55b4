# SPDX-License-Identifier: Apache-2.0
"""From the colours that clips are coded in to RGB."""

from __future__ import annotations

import re

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

_DEEP = re.compile(r"(yuva?4[0-4]{2}p|gray)(?:9|1[0246])(?:le|be)")
_PACKED = {"p0": "yuv420p", "p2": "yuv422p", "p4": "yuv444p"}


class ToRgb:
    """Converts the frames of one clip; keeps libswscale's tables between them.

    libswscale makes RGB of 8 bits with one chroma filter and of more bits with another, 35 dB apart. So more bits
    become 8 first, in the same planes, and the same picture in 8 and in 10 bits gives the same frames.
    """

    def __init__(self) -> None:
        self._depth, self._colour = VideoReformatter(), VideoReformatter()

    def __call__(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """uint8 ``[H, W, 3]`` RGB, full range: matrix and range as the frame says."""
        if shallow := eight_bits(frame.format.name):
            frame = self._depth.reformat(frame, format=shallow)
        return np.asarray(self._colour.reformat(frame, format="rgb24").to_ndarray(), np.uint8)


def eight_bits(pix_fmt: str) -> str | None:
    """The format of the same planes with 8 bits; None where there are 8 already, or none is known.

    Example:
        >>> eight_bits("yuv420p10le"), eight_bits("p010le"), eight_bits("yuv420p")
        ('yuv420p', 'yuv420p', None)
    """
    if found := _DEEP.fullmatch(pix_fmt):
        return found[1]
    return _PACKED.get(pix_fmt[:2]) if re.fullmatch(r"p[024]1[026](?:le|be)", pix_fmt) else None
