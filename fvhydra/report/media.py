# SPDX-License-Identifier: Apache-2.0
"""How the page refers to files of the run folder: relative, URL-encoded, and never out of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from fvhydra.core import untrusted
from fvhydra.core.errors import UsageError
from fvhydra.core.result import CaseResult

_KINDS = {
    **dict.fromkeys((".mp4", ".webm", ".mov", ".mkv", ".avi", ".flv"), "video"),
    **dict.fromkeys((".png", ".jpg", ".jpeg"), "image"),
    **dict.fromkeys((".wav", ".mp3", ".ogg", ".flac"), "audio"),
}


@dataclass(frozen=True)
class Media:
    """A file that a case shows: ``kind`` is ``video``, ``image``, ``audio`` or ``file`` (latents)."""

    role: str
    label: str
    path: str
    url: str
    kind: str
    present: bool


def case_media(run_dir: Path, case: CaseResult, labels: tuple[str, str]) -> list[Media]:
    """Reference and artifact of a case, in this order, as far as it has them.

    Args:
        run_dir: The run folder.
        case: Whose files.
        labels: What to call the reference and the artifact.
    """
    files = (("reference", labels[0], case.reference), ("generated", labels[1], case.artifact))
    return [
        Media(
            role,
            label,
            path,
            relative_url(path),
            _KINDS.get(PurePosixPath(path).suffix.lower(), "file"),
            (located := inside(run_dir, path)) is not None and located.is_file(),
        )
        for role, label, path in files
        if path
    ]


def clip_media(run_dir: Path, label: str, path: str) -> Media:
    """A clip that was scored: inside the run folder, or wherever it lay when it was given."""
    located = Path(path) if Path(path).is_absolute() else inside(run_dir, path)
    url = relative_url(path) if located is None or not Path(path).is_absolute() else located.as_uri()
    kind = _KINDS.get(PurePosixPath(path).suffix.lower(), "file")
    return Media(label, label, path, url, kind, located is not None and located.exists())


def relative_url(path: str) -> str:
    """The URL of a file of the run folder, seen from ``report/index.html``; any file name is one."""
    return "../" + quote(path, safe="/", errors="surrogateescape")


def inside(folder: Path, path: str) -> Path | None:
    """``folder / path``, or None when ``path`` leads out of the folder (a tampered record)."""
    try:
        return untrusted.inside(folder, path)
    except UsageError:
        return None
