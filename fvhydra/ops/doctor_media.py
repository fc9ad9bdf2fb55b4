# SPDX-License-Identifier: Apache-2.0
"""What ``op=doctor`` finds of codecs, of FFmpeg's programs, and of whether a run folder can be moved."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from fvhydra.config.op import DoctorConfig
from fvhydra.core.files import given_path
from fvhydra.core.portability import Outside, outside
from fvhydra.core.project import project_settings
from fvhydra.core.result import Criterion
from fvhydra.core.run import RunFolder
from fvhydra.media.ffmpeg import find_programs
from fvhydra.ops.bundled import clip_files
from fvhydra.ops.context import Context

_CLOSE = 12.0
"""Of 255: how far the mean of a decoded picture may be from what was encoded."""
_LISTED = 5


def codecs(context: Context) -> Iterator[Criterion]:
    """The codecs of PyAV, and a clip of three frames through them."""
    import av

    wanted: tuple[tuple[str, Literal["r", "w"]], ...] = (("libx264", "w"), ("h264", "r"), ("aac", "w"))
    for name, mode in wanted:
        label = f"{'encoder' if mode == 'w' else 'decoder'} {name}"
        try:
            av.codec.Codec(name, mode)
            yield Criterion(label, True, f"PyAV {av.__version__}", "available")
        except av.error.FFmpegError:
            yield Criterion(label, False, f"PyAV {av.__version__} does not have it", "available")
    yield _clip()


def _clip() -> Criterion:
    import numpy as np

    from fvhydra.media.encode import encode
    from fvhydra.media.video import decode

    frames = np.stack([np.full((64, 96, 3), 40 + 80 * index, np.uint8) for index in range(3)])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        encode(path, frames, 8)
        found = np.stack(list(decode(path)))
        size = path.stat().st_size
    same = found.shape == frames.shape and bool(abs(found.mean((1, 2, 3)) - frames.mean((1, 2, 3))).max() < _CLOSE)
    return Criterion("clip", same, f"{len(found)} frame(s) of 3, {size} bytes, encoded and decoded", "the same again")


def ffmpeg(context: Context) -> Iterator[Criterion]:
    """Which programs of FFmpeg would be taken; without any, fvhydra does all the same."""
    config = context.config.op
    if isinstance(config, DoctorConfig) and not config.ffmpeg:
        return
    file = project_settings().file
    folder = file.parent if file else Path.cwd()
    for name in ("ffmpeg", "ffprobe"):
        program = next(find_programs(name, folder, os.environ), None)
        if program is None:
            yield Criterion(name, True, "none here; fvhydra needs none", "any")
            continue
        version = program.version()
        given = f"{program.path} (from {program.source}): {version or 'cannot be run'}"
        yield Criterion(name, bool(version), given, "can be run")


def last_run(context: Context) -> Iterator[Criterion]:
    """Whether a run folder could be moved elsewhere: every path in its records is relative and is there."""
    given = context.config.run
    link = given_path(given) if given is not None else given_path(context.config.runtime.output_dir) / "latest"
    label = "last run" if given is None else "run"
    if link.is_symlink() and not link.exists():
        yield Criterion(label, False, f"{link} points to a run folder that is gone", "portable")
        return
    if not (link / "manifest.json").is_file():
        there = "there is none yet" if given is None else f"{link} is no run folder"
        yield Criterion(label, given is None, there, "portable")
        return
    folder = link.resolve()
    troubles = []
    for artifact in RunFolder(folder).manifest["artifacts"]:
        if not Path(artifact["path"]).is_absolute() and not (folder / artifact["path"]).is_file():
            troubles.append(f"missing {artifact['path']}")
    for name in ("result.json", "report/index.html", "report/junit.xml", "report/summary.md"):
        record = folder / name
        if record.is_file() and str(folder) in record.read_text(encoding="utf-8"):
            troubles.append(f"{name} names its own folder")
    named = list(outside(folder))
    # a run of clips that lie elsewhere is no fault of the machine; who asks for a folder wants to know
    troubles += [str(item) for item in named if given is not None or "artifacts[" in item.field]
    yield Criterion(
        label,
        not troubles,
        f"not relative or not there: {_few(troubles)}" if troubles else _movable(folder, named),
        "portable",
    )


def _movable(folder: Path, named: list[Outside]) -> str:
    """What goes with a run folder when it is moved, and what does not."""
    clips = {item.path for item in named if _is_clip(item)}
    said = f"{folder} can be moved"
    if clips:
        said += f", but for {len(clips)} clip(s) elsewhere: op=bundle takes them along"
    if others := [str(item) for item in named if item.path not in clips]:
        said += f"; it names what does not go with it: {_few(others)}"
    return said


def _is_clip(item: Outside) -> bool:
    try:
        return bool(clip_files(Path(item.path)))
    except (OSError, ValueError):
        return False


def _few(items: list[str]) -> str:
    more = f"; and {len(items) - _LISTED} more" if len(items) > _LISTED else ""
    return "; ".join(items[:_LISTED]) + more
