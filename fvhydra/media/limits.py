# SPDX-License-Identifier: Apache-2.0
"""How much of a picture, clip or recording is read: what a stranger made may have no end, or unfold without one."""

from __future__ import annotations

from pathlib import Path

from fvhydra.core.errors import MediaError
from fvhydra.core.files import regular_file

MOST_BYTES = 4 * 2**30
"""Of a file."""

MOST_PIXELS = 8192 * 8192
"""Of a frame or picture: 200 MB as RGB. A clip in 8K has half as many."""

MOST_FRAMES = 200_000
"""Of a clip: more than two hours at 24 frames a second."""

MOST_SAMPLES = 2**27
"""Of a recording, all channels together: 512 MB as float32, or 23 minutes of stereo at 48 kHz."""

MOST_CHANNELS = 8
"""Of a recording: those of 7.1. PyAV reads beyond its memory where there are more."""

FEWEST_HERTZ, MOST_HERTZ = 1_000, 768_000
"""Of a recording's rate: resampling from rates without sense takes memory without end."""


def media_file(path: Path, what: str) -> int:
    """The size of a media file in bytes, before it is opened.

    Raises:
        MediaError: Missing, not a regular file (a FIFO, a device), empty, or larger than :data:`MOST_BYTES`.
    """
    size = regular_file(path, what, most_bytes=MOST_BYTES, error=MediaError)
    if size == 0:
        raise MediaError(f"{path} is empty (0 bytes).", "Make or fetch the file again.")
    return size


def check_pixels(path: Path, height: int, width: int) -> None:
    """Refuse a frame or picture of more than :data:`MOST_PIXELS` before memory is taken for it.

    Raises:
        MediaError: It has more.
    """
    if height * width > MOST_PIXELS:
        raise MediaError(f"{path} has {width}x{height} pixels; at most {MOST_PIXELS:,} are read (8192x8192).")
