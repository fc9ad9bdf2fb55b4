# SPDX-License-Identifier: Apache-2.0
"""The clips of a sample as players, beside what was measured on them frame by frame."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fvhydra.core.errors import FvhydraError, MediaError
from fvhydra.report.curve import Curve, Motion, series
from fvhydra.report.media import Media, clip_media, inside
from fvhydra.report.preview import needs_preview, preview, preview_path


@dataclass(frozen=True)
class Player:
    """A clip pair (or one clip) that is addressed by frame.

    Attributes:
        start: The frame that is shown first.
        subtract: Whether the two can be laid over each other.
        values: One a frame, or one for each frame and the next; None where it is not finite.
    """

    fps: float
    frames: int
    start: int
    subtract: bool
    values: Sequence[float | None]


@dataclass(frozen=True)
class ClipView:
    """What the template needs of a sample's clips.

    Attributes:
        name: For those who cannot see it.
        player: None where the frames of the clips are not known, or differ: then the page leaves them to the browser.
        curve: The first series, if it can be addressed by the player's frames.
        curves: The others.
        motion: How much they move; not looked at here.
    """

    name: str
    media: list[Media]
    player: Player | None
    curve: Curve | None
    curves: list[Curve] = field(default_factory=list)
    motion: Motion | None = None

    @property
    def screens(self) -> list[Media]:
        """Clips that can be shown, or that should be there and are not."""
        return [item for item in self.media if item.kind != "file" or not item.present]


def clip_view(
    run_dir: Path,
    name: str,
    clips: Mapping[str, str],
    found: Mapping[str, Sequence[float]],
    direction: str = "none",
    fps: float | None = None,
    others: Sequence[Path] | None = None,
) -> ClipView:
    """Lay out one or two clips of a sample.

    Args:
        run_dir: The run folder.
        name: The sample.
        clips: Label to path, relative to the run folder or absolute; the first is what the others are compared with.
        found: Values by frame or pair of frames, by name, the one that the player follows first.
        direction: Which way of that one is better: ``higher``, ``lower`` or ``none``.
        fps: Frames a second of clips that are folders of frames.
        others: Run folders that named the clips. Nothing is read of these then, since a stranger may have named them:
            only what those runs' own pages show is shown.
    """
    media = [_playable(run_dir, clip_media(run_dir, label, path), fps, others) for label, path in clips.items()]
    extent = _extent(run_dir, media)
    player, curve = None, None
    curves = [series(title, values, extent[1] if extent else len(values)) for title, values in found.items()]
    if extent:
        fps, frames = extent
        values = next(iter(found.values()), [])
        if len(values) not in (frames, frames - 1):
            values = []
        start = _worst(values, direction)
        shown = [float(value) if math.isfinite(value) else None for value in values]
        player = Player(fps, frames, start, sum(item.present for item in media) == 2, shown)
        if values:
            curve = curves.pop(0)
    return ClipView(name, media, player, curve, curves)


def _playable(run_dir: Path, item: Media, fps: float | None, others: Sequence[Path] | None) -> Media:
    """The clip as a browser plays it: in place of a folder of frames or a GIF, a file of a report."""
    clip = run_dir / item.path
    if not (Path(item.path).is_absolute() or inside(run_dir, item.path)) or not needs_preview(clip):
        return item
    try:
        if others is None:
            path = preview(run_dir, clip, fps).relative_to(run_dir)
        else:
            made = (preview_path(run.absolute(), clip, fps) for run in others)
            path = next((file for file in made if file.is_file()), Path(item.path))
    except (FvhydraError, OSError):  # gone or damaged, which the scores say
        return item
    return replace(clip_media(run_dir, item.label, path.as_posix()), role=item.role)


def _extent(run_dir: Path, media: Sequence[Media]) -> tuple[float, int] | None:
    """Rate and number of frames that all clips which are there share."""
    from fvhydra.media.video import probe, same_rate

    try:
        infos = [probe(run_dir / item.path) for item in media if item.present]
    except MediaError:
        return None
    if len({(info.frames, info.height, info.width) for info in infos}) != 1:
        return None
    first = infos[0]
    return (first.fps, first.frames) if all(same_rate(info.fps, first.fps) for info in infos) else None


def _worst(values: Sequence[float], direction: str) -> int:
    """Index of the worst frame; 0 where no frame has a value."""
    finite = [index for index, value in enumerate(values) if math.isfinite(value)]
    if not finite or direction == "none":
        return 0
    return (max if direction == "lower" else min)(finite, key=values.__getitem__)
