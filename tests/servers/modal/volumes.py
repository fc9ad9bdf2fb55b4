# SPDX-License-Identifier: Apache-2.0
"""Volumes: folders that containers see a copy of. What changes in a copy is seen by others after a commit."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

_Files = dict[str, tuple[int, int]]
"""Time of modification (ns) and size, by relative path."""


@dataclass
class Volume:
    id: str
    name: str
    folder: Path

    def path(self, relative: str) -> Path | None:
        """Where a file of the volume is; None when the path leads out of it."""
        inside = PurePosixPath("/" + relative.lstrip("/"))
        return None if ".." in inside.parts else self.folder / str(inside).lstrip("/")


@dataclass
class Checkout:
    """One container's working copy."""

    volume: Volume
    folder: Path
    _seen: _Files = field(default_factory=dict)

    def reload(self) -> None:
        """Take over what others have committed."""
        now = _scan(self.volume.folder)
        _carry(self.volume.folder, self.folder, _changed(now, self._seen))
        self._seen = _scan(self.folder)

    def commit(self) -> None:
        """Give others what was changed here."""
        now = _scan(self.folder)
        _carry(self.folder, self.volume.folder, _changed(now, self._seen))
        self._seen = now


def _scan(root: Path) -> _Files:
    found = {}
    for path in root.rglob("*"):
        if path.is_symlink() or path.is_file():
            facts = path.lstat()
            found[path.relative_to(root).as_posix()] = (facts.st_mtime_ns, facts.st_size)
    return found


def _changed(now: _Files, before: _Files) -> list[str]:
    return sorted(path for path in now.keys() | before.keys() if now.get(path) != before.get(path))


def _carry(source: Path, target: Path, paths: Iterable[str]) -> None:
    for path in paths:
        if (source / path).is_symlink() or (source / path).exists():
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            part = (target / path).with_name(f"{(target / path).name}.part~")
            shutil.copy2(source / path, part, follow_symlinks=False)
            part.replace(target / path)
        else:
            (target / path).unlink(missing_ok=True)
