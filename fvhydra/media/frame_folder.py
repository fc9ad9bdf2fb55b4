# SPDX-License-Identifier: Apache-2.0
"""Folders of numbered pictures, which are clips without a file: ``0000.png``, ``0001.png``, ..."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from fvhydra.core.errors import MediaError
from fvhydra.media.limits import MOST_FRAMES
from fvhydra.media.picture import Frame, read_image

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
"""Extensions of frames."""

_NUMBERED = re.compile(r"(.*?)([0-9]{1,18})")


def has_numbered_pictures(folder: Path) -> bool:
    """Whether something in a folder could be a frame: a picture whose name ends with a number."""
    return any(_NUMBERED.fullmatch(path.stem) for path in folder.iterdir() if _is_picture(path.name))


def frame_paths(folder: Path) -> list[Path]:
    """The frames in the order of their numbers.

    Raises:
        MediaError: There are none, numbers are missing or doubled, or names belong to several clips.
    """
    try:
        names = sorted(path.name for path in folder.iterdir() if _is_picture(path.name))
    except OSError as error:
        raise MediaError(f"The folder {folder} cannot be read: {error.strerror}.") from error
    if len(names) > MOST_FRAMES:
        raise MediaError(f"{folder} has more than {MOST_FRAMES:,} frames; no more are read.")
    parts = {name: _NUMBERED.fullmatch(Path(name).stem) for name in names}
    if unnumbered := [name for name, part in parts.items() if part is None]:
        raise MediaError(f"{folder} is no folder of frames: the name of {unnumbered[0]} does not end with a number.")
    if not parts:
        raise MediaError(f"There is no video in {folder}, and no frame: no picture ({', '.join(PICTURES)}).")
    kinds = {(part[1], Path(name).suffix.lower()): name for name, part in parts.items() if part is not None}
    if len(kinds) > 1:
        raise MediaError(f"{folder} holds frames of several clips, such as {' and '.join(sorted(kinds.values())[:2])}.")
    numbers = {name: int(part[2]) for name, part in parts.items() if part is not None}
    ordered = sorted(names, key=lambda name: numbers[name])
    for before, after in pairwise(ordered):
        if numbers[after] != numbers[before] + 1:
            what = "are the same frame" if numbers[after] == numbers[before] else "have frames missing between them"
            raise MediaError(f"{folder} is damaged: {before} and {after} {what}.")
    return [folder / name for name in ordered]


def read_frames(folder: Path) -> Iterator[Frame]:
    """Yield the frames in order, uint8 ``[H, W, 3]`` RGB, one in memory at a time.

    Raises:
        MediaError: As :func:`frame_paths`; a picture is damaged, or of another size than the first.
    """
    shape: tuple[int, ...] | None = None
    for path in frame_paths(folder):
        frame = read_image(path)
        if shape is not None and frame.shape != shape:
            height, width = frame.shape[:2]
            raise MediaError(f"{path} is {height}x{width}, but the frames before are {shape[0]}x{shape[1]}.")
        shape = frame.shape
        yield frame


def _is_picture(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in PICTURES
