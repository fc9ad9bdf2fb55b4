# SPDX-License-Identifier: Apache-2.0
"""What a bundle of a run holds: every file of its folder, and the clips that it names elsewhere."""

from __future__ import annotations

import html
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from typing_extensions import TypedDict

from fvhydra.core import files, untrusted
from fvhydra.core.errors import UsageError
from fvhydra.core.portability import Outside, outside

BUNDLE = "BUNDLE.json"
"""The first file of an archive, which says what the others are."""

_OUTSIDE = "outside"
"""Folder of what was not in the run folder."""

_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
_MEDIA = (*_PICTURES, ".mp4", ".webm", ".mov", ".mkv", ".avi", ".flv", ".wav", ".mp3", ".ogg", ".flac")
"""Nothing else is taken along, whatever a record names: it may be anybody's, and a bundle is sent to others."""

_REWRITTEN = (".json", ".jsonl", ".html", ".md", ".xml")


class Listed(TypedDict):
    """A file as :data:`BUNDLE` lists it."""

    sha256: str
    bytes: int


class _Listing(TypedDict):
    schema_version: int
    files: dict[str, Listed]


@dataclass(frozen=True)
class Packed:
    """A file on its way into an archive; ``data`` is its content where that is other than on the disk."""

    name: str
    size: int
    path: Path | None = None
    data: bytes | None = None

    def open(self) -> IO[bytes]:
        """Its content."""
        if self.data is not None:
            return io.BytesIO(self.data)
        assert self.path is not None
        return open(self.path, "rb")


@dataclass
class Bundled:
    """What goes into an archive.

    Attributes:
        name: The folder that all of it is in.
        files: By path in that folder.
        outside: Absolute paths of what is taken along, with their paths in the folder.
        missing: What is named and not there, or no clip.
    """

    name: str
    files: dict[str, Packed] = field(default_factory=dict)
    outside: dict[str, str] = field(default_factory=dict)
    missing: list[Outside] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(packed.size for packed in self.files.values())

    def contents(self) -> Iterator[Packed]:
        """The listing, then all files in the order of their names."""
        listed = {path: Listed(sha256=_sha256(packed), bytes=packed.size) for path, packed in self.files.items()}
        told = {"schema_version": 1, "name": self.name, "outside": self.outside, "files": listed}
        data = (json.dumps(told, indent=1, sort_keys=True) + "\n").encode()
        yield Packed(f"{self.name}/{BUNDLE}", len(data), data=data)
        for path in sorted(self.files):
            packed = self.files[path]
            yield Packed(f"{self.name}/{path}", packed.size, packed.path, packed.data)


def collect(folder: Path) -> Bundled:
    """Everything that a run or sweep consists of.

    Raises:
        UsageError: There is a link or something else that is no file in it.
    """
    found = Bundled(folder.name)
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise UsageError(f"{path} is a link or no plain file, and would not be the same elsewhere.", "Remove it.")
        if path.is_file() and not path.name.startswith(".tmp-") and relative != BUNDLE:
            found.files[relative] = Packed(relative, path.stat().st_size, path)
    for item in outside(folder):
        _take_along(found, item, folder)
    if found.outside:
        _rewrite(found)
    return found


def _take_along(found: Bundled, item: Outside, folder: Path) -> None:
    if item.path in found.outside:
        return
    path = Path(item.path)
    try:
        if path.resolve().is_relative_to(folder):  # it names itself by its full path
            if path.resolve() != folder:
                found.outside[item.path] = path.resolve().relative_to(folder).as_posix()
            return
        taken = clip_files(path)
    except (OSError, ValueError):
        taken = []
    if not taken:
        found.missing.append(item)
        return
    target = f"{_OUTSIDE}/{len(found.outside):04}_{path.name}"
    found.outside[item.path] = target
    for one in taken:
        relative = target if one == path else f"{target}/{one.name}"
        found.files[relative] = Packed(relative, one.stat().st_size, one)


def clip_files(path: Path) -> list[Path]:
    """The files of a clip: itself, or the pictures of a folder that has nothing else; none where it is no clip.

    Raises:
        OSError, ValueError: It cannot be looked at.
    """
    frames = [frame for frame in sorted(path.iterdir()) if not frame.name.startswith(".")] if path.is_dir() else []
    found = frames or ([path] if path.is_file() else [])
    kinds = _PICTURES if frames else _MEDIA
    return found if all(one.is_file() and one.suffix.lower() in kinds for one in found) else []


def _rewrite(found: Bundled) -> None:
    """Name what was taken along by its new place, in every spelling that records and pages have for a path."""
    for relative, packed in list(found.files.items()):
        if packed.path is None or Path(relative).suffix not in _REWRITTEN or relative.startswith(f"{_OUTSIDE}/"):
            continue
        before = untrusted.read_bytes(packed.path)
        after = before
        up = "../" * relative.count("/")
        for old, new in sorted(found.outside.items(), key=lambda pair: -len(pair[0])):  # a folder after its files
            for spelled, put in (
                (json.dumps(old), json.dumps(new)),
                (json.dumps(old, ensure_ascii=False), json.dumps(new, ensure_ascii=False)),
                *([(Path(old).as_uri(), up + _url(new))] if Path(old).is_absolute() else []),
                (html.escape(old), html.escape(new)),
            ):
                after = after.replace(spelled.encode(errors="surrogateescape"), put.encode(errors="surrogateescape"))
        if after != before:
            found.files[relative] = Packed(relative, len(after), data=after)


def _url(path: str) -> str:
    from urllib.parse import quote

    return quote(path, safe="/", errors="surrogateescape")


def _sha256(packed: Packed) -> str:
    if packed.data is not None:
        return files.sha256_bytes(packed.data)
    assert packed.path is not None
    return files.sha256_file(packed.path)


def listing(value: Any, source: Path) -> dict[str, Listed]:
    """The files that an archive says it has.

    Raises:
        UsageError: It says nothing of the kind.
    """
    wrong = f"{source} has a {BUNDLE} of no version that is read here"
    found = untrusted.typed(_Listing, value, wrong)
    if found["schema_version"] != 1 or any(item["bytes"] < 0 for item in found["files"].values()):
        raise UsageError(f"{wrong}.")
    return found["files"]
