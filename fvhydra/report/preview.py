# SPDX-License-Identifier: Apache-2.0
"""Clips that no browser plays, as small files that every browser does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fvhydra.core.files import sha256_bytes

_PRESET = {"preset": "veryfast"}
"""Of x264: for the eye, in a fraction of the time."""


def needs_preview(clip: Path) -> bool:
    """Whether the page cannot show a clip frame by frame as it is: a folder of frames, or a GIF."""
    return clip.is_dir() or clip.suffix.lower() == ".gif"


def preview_path(run_dir: Path, clip: Path, fps: float | None) -> Path:
    """Where a run folder has the preview of a clip, if it has one. ``OSError``: the clip is gone."""
    name = sha256_bytes(f"{clip.absolute()} {clip.stat().st_mtime_ns} {fps}".encode(errors="surrogatepass"))
    return run_dir / "report" / "clips" / f"{name[:16]}.mp4"


def preview(run_dir: Path, clip: Path, fps: float | None) -> Path:
    """Write a clip as ``report/clips/<hash>.mp4``, unless it is there.

    Args:
        run_dir: The run folder.
        clip: A file, or a folder of frames, which is read frame by frame.
        fps: Frames a second of a folder of frames.

    Returns:
        The file, of even sizes: the last row or column of odd ones is repeated.

    Raises:
        MediaError: The clip cannot be read.
        UsageError: The file cannot be written.
    """
    from fvhydra.media.encode import QUALITY, write_mp4
    from fvhydra.media.video import Frame, decode, probe

    path = preview_path(run_dir, clip, fps)
    if path.is_file():
        return path
    info = probe(clip, fps)
    height, width = info.height, info.width
    pad = ((0, height % 2), (0, width % 2), (0, 0))

    def even() -> Iterator[Frame]:
        for frame in decode(clip):
            yield np.pad(frame, pad, mode="edge")

    write_mp4(path, even(), (height + height % 2, width + width % 2), info.fps, QUALITY | _PRESET)
    return path
