# SPDX-License-Identifier: Apache-2.0
"""Everything about one clip of a job: ``logs/log_000.json`` of its run folder. Paths are relative to the folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fvhydra.core import untrusted
from fvhydra.core.artifacts import ClipFacts
from fvhydra.core.errors import UsageError

SCHEMA_VERSION = 1


@dataclass
class FrameFile:
    """A picture that was kept without loss.

    Attributes:
        sha256: Of the file.
        pixels_sha256: Of the RGB values, row by row, 8 bits each; None where nobody looked.
    """

    path: str
    sha256: str
    pixels_sha256: str | None = None


@dataclass
class Conditioning:
    """What a clip began with.

    Attributes:
        kind: ``none``, ``init_image``, ``image`` or ``clip``.
        clip: Index of the clip whose last frame it was.
        frame: The picture; None without one.
        difference: Mean absolute difference of the first frame that came out from that picture, in levels of 255; None
            where there is none, or their sizes differ.
    """

    kind: str
    clip: int | None = None
    frame: FrameFile | None = None
    difference: float | None = None


@dataclass
class ClipLooks:
    """How a clip looks, see :class:`fvhydra.similarity.drift.Looks`."""

    luma: list[float]
    saturation: list[float]
    sharpness: list[float]
    histogram: list[float]


@dataclass
class ClipLog:
    """The record.

    Attributes:
        state: ``running``, ``done``, ``failed``, ``stopped`` (by a guardrail) or ``interrupted``.
        fingerprint: Of the recipe, what the clip begins with included.
        sampling: Resolved.
        arguments: What really went into the library.
        dropped: What the engine has no way to honour.
        clip: The file, with ``path``, ``sha256`` and ``bytes``.
        facts: Its frames, size and rate.
        first_frame: The first frame that came out.
        last_frame: The last one, which a later clip may begin with.
        seconds: Wall time of the components, and ``clip_s`` for all of it, from asking the engine to the last file.
        memory_mb: Peak memory, by where it was used.
        attempts: How often this clip was begun, earlier runs in this folder included.
        error: Why there is no clip.
    """

    index: int
    id: str
    state: str
    prompt: str
    seed: int
    fingerprint: str
    conditioning: Conditioning
    negative_prompt: str | None = None
    sampling: dict[str, Any] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    dropped: dict[str, Any] = field(default_factory=dict)
    clip: dict[str, Any] | None = None
    facts: ClipFacts | None = None
    first_frame: FrameFile | None = None
    last_frame: FrameFile | None = None
    audio_rate: int | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    memory_mb: dict[str, float] = field(default_factory=dict)
    looks: ClipLooks | None = None
    attempts: int = 1
    started: str = ""
    ended: str | None = None
    error: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION


@dataclass
class Story:
    """What a job came to.

    Attributes:
        name: Of the job.
        clips: How many it has.
        stitched: The file with all clips; None while one is missing.
        frames: Of that file.
        fps: Of that file.
        begins: The frame of it that each clip begins at.
    """

    name: str
    clips: int
    stitched: str | None = None
    frames: int | None = None
    fps: float | None = None
    begins: list[int] = field(default_factory=list)


def log_path(index: int) -> str:
    """Where the record of a clip is in the run folder."""
    return f"logs/log_{index:03}.json"


def read_clip_log(folder: Path, index: int) -> ClipLog | None:
    """The record of a clip; None where there is none, or it is damaged."""
    path = folder / log_path(index)
    try:
        return untrusted.typed(ClipLog, untrusted.read_json(path), f"{path} is not the record of a clip")
    except UsageError:
        return None
