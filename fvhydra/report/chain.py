# SPDX-License-Identifier: Apache-2.0
"""The chain of a story: how each clip was handed over, and how its looks drift away from where it began."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from fvhydra.core.clip_log import ClipLog, Story, read_clip_log
from fvhydra.report.clips import ClipView, clip_view
from fvhydra.report.curve import Curve, series
from fvhydra.report.media import Media, clip_media

_SERIES = {"luma": "mean luma", "saturation": "saturation", "sharpness": "sharpness"}


@dataclass(frozen=True)
class Handover:
    """The picture that a clip was given, and the frame that came out first.

    Attributes:
        title: Which clip of which.
        given: The picture.
        first: The frame.
        difference: Mean absolute difference, in levels of 255; None where the sizes differ.
        handed: SHA-256 of the picture's file.
    """

    title: str
    given: Media
    first: Media
    difference: float | None
    handed: str

    @property
    def overlaid(self) -> bool:
        """Whether both can be laid over each other."""
        return self.difference is not None and self.given.present and self.first.present


@dataclass(frozen=True)
class ClipRow:
    """A clip in the table of the chain; what was not measured is None."""

    log: ClipLog
    begins: str
    luma: float | None
    saturation: float | None
    sharpness: float | None
    colours: float | None
    """Distance of its colour histogram from that of the first clip, 0 to 1."""


@dataclass(frozen=True)
class ChainView:
    """What the template needs of a story.

    Attributes:
        whole: The video of all clips as a player, with a mark where each clip begins.
    """

    story: Story
    rows: list[ClipRow]
    handovers: list[Handover]
    whole: ClipView | None
    curves: list[Curve] = field(default_factory=list)


def chain_view(run_dir: Path, story: Story) -> ChainView:
    """Lay out a story from the records of its clips; those that are missing or damaged are left out."""
    found = (read_clip_log(run_dir, index) for index in range(min(story.clips, 1_000)))
    logs = [log for log in found if log is not None]
    rows = [_row(log, logs) for log in logs]
    handovers = [_handover(run_dir, log, logs) for log in logs if log.conditioning.frame and log.first_frame]
    curves = _drift(logs, rows)
    return ChainView(story, rows, handovers, _whole(run_dir, story, logs), curves)


def _row(log: ClipLog, logs: list[ClipLog]) -> ClipRow:
    from fvhydra.similarity.drift import histogram_distance

    begun = log.conditioning
    ids = {other.index: other.id for other in logs}
    begins = begun.kind.replace("_", " ")
    if begun.clip is not None:
        begins = f"last frame of {ids.get(begun.clip, begun.clip)}"
    first = next((other.looks for other in logs if other.index == 0), None)
    looks, distance = log.looks, None
    if looks and first and len(looks.histogram) == len(first.histogram):
        distance = histogram_distance(first.histogram, looks.histogram)
    luma, saturation, sharpness = (_mean(getattr(looks, name)) if looks else None for name in _SERIES)
    return ClipRow(log, begins, luma, saturation, sharpness, distance)


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _handover(run_dir: Path, log: ClipLog, logs: list[ClipLog]) -> Handover:
    begun = log.conditioning
    assert begun.frame is not None and log.first_frame is not None
    ids = {other.index: other.id for other in logs}
    before = "picture" if begun.clip is None else f"end of {ids.get(begun.clip, begun.clip)}"
    return Handover(
        title=f"{before} to start of {log.id}",
        given=clip_media(run_dir, before, begun.frame.path),
        first=clip_media(run_dir, f"start of {log.id}", log.first_frame.path),
        difference=begun.difference,
        handed=begun.frame.sha256,
    )


def _whole(run_dir: Path, story: Story, logs: list[ClipLog]) -> ClipView | None:
    """The stitched video, with what is known of each of its frames."""
    if story.stitched is None or story.frames is None:
        return None
    found = {title: _joined(story, logs, name) for name, title in _SERIES.items()}
    values = {title: joined for title, joined in found.items() if joined is not None}
    view = clip_view(run_dir, story.name, {"all clips": story.stitched}, values)
    ids = {log.index: log.id for log in logs}
    marks = [
        (str(ids.get(index, index)), round(begin / story.frames * 100, 3))
        for index, begin in enumerate(story.begins)
        if 0 <= begin < story.frames
    ]
    curve = view.curve and replace(view.curve, marks=marks)
    return replace(view, curve=curve, curves=[replace(item, marks=marks) for item in view.curves])


def _joined(story: Story, logs: list[ClipLog], name: str) -> list[float] | None:
    """A value for each frame of the whole; None where not all clips have them."""
    ends = [*story.begins[1:], story.frames or 0]
    values: list[float] = []
    for log, begin, end in zip(logs, story.begins, ends, strict=False):
        own = getattr(log.looks, name) if log.looks else []
        values += own[len(own) - (end - begin) :] if 0 < end - begin <= len(own) else []
    return values if len(values) == story.frames else None


def _drift(logs: list[ClipLog], rows: list[ClipRow]) -> list[Curve]:
    """What is known of clips as wholes, a value a clip."""
    distances = [row.colours for row in rows]
    if len(rows) < 2 or any(distance is None for distance in distances):
        return []
    marks = [(log.id, round(position / len(logs) * 100, 3)) for position, log in enumerate(logs)]
    known = [distance for distance in distances if distance is not None]
    return [replace(series("colours: distance from the first clip", known, len(known)), marks=marks)]
