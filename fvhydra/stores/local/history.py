# SPDX-License-Identifier: Apache-2.0
"""The commits of a local store: one file each, made in one step or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from fvhydra.core.errors import Corrupt, Unavailable
from fvhydra.core.files import canonical_json, sha256_bytes
from fvhydra.stores.base import LogEntry
from fvhydra.stores.local.disk import link_once, open_plain, scratch_file, seal, sync_folder
from fvhydra.stores.local.objects import Blob

SCHEMA_VERSION = 1

Tree = dict[str, Blob]
"""Every file of a revision, by path, sorted."""

_FILE = re.compile(r"(\d{8})\.jsonl")
_REVISION = re.compile(r"(\d{8})-[0-9a-f]{16}")


def _revision(number: int, sha256: str) -> str:
    return f"{number:08d}-{sha256[:16]}"


EMPTY = _revision(0, sha256_bytes(b""))
"""The revision before the first commit: nothing, in every store."""


@dataclass(frozen=True)
class Note:
    """What a commit says about itself."""

    message: str
    paths: list[str]
    provenance: Mapping[str, Any]


class History:
    """``log/<number>.jsonl``, three lines of JSON: the SHA-256 of the second, the commit, the tree.

    The commit holds the SHA-256 of the tree, and its own is part of the revision, so no byte goes unverified. The two
    are apart because a history is read often and its trees seldom.
    """

    def __init__(self, folder: Path, scratch: Path) -> None:
        self._folder = folder
        self._scratch = scratch

    def newest(self) -> int:
        """Number of the newest commit; 0 when there is none."""
        try:
            names = [path.name for path in self._folder.iterdir()]
        except FileNotFoundError:
            return 0
        return max((int(match[1]) for name in names if (match := _FILE.fullmatch(name))), default=0)

    def head(self) -> str:
        """The newest revision."""
        number = self.newest()
        return self.entry(number).revision if number else EMPTY

    def entry(self, number: int) -> LogEntry:
        """A commit, without its tree."""
        with self._open(number) as handle:
            return self._read(handle, number)[0]

    def entries(self, after: int = 0) -> Iterator[LogEntry]:
        """Commits with a higher number than ``after``, the newest first."""
        return (self.entry(number) for number in range(self.newest(), after, -1))

    def number(self, revision: str) -> int:
        """The number of a revision.

        Raises:
            Unavailable: It is not in this history.
        """
        match = _REVISION.fullmatch(revision)
        if match and (revision == EMPTY or (int(match[1]) and self.entry(int(match[1])).revision == revision)):
            return int(match[1])
        raise Unavailable(f"There is no revision {revision} in {self._folder.parent}.")

    def tree(self, revision: str) -> Tree:
        """Every file of a revision."""
        number = self.number(revision)
        if number == 0:
            return {}
        with self._open(number) as handle:
            sha256 = self._read(handle, number)[1]
            line = handle.readline().rstrip(b"\n")
        if sha256_bytes(line) != sha256:
            raise self._corrupt(number)
        return {path: Blob(*blob) for path, blob in json.loads(line).items()}

    def files(self, revision: str) -> list[Path]:
        """Where a revision and all before it are kept."""
        return [self._path(number) for number in range(1, self.number(revision) + 1)]

    def append(self, parent: str, tree: Tree, note: Note) -> str | None:
        """Commit ``tree`` on top of ``parent``; None when another commit was faster and nothing was written.

        Raises:
            Denied: The file system has no hard links.
        """
        number = self.number(parent) + 1
        tree_line = canonical_json({path: [blob.sha256, blob.size] for path, blob in tree.items()}).encode()
        commit = {
            "schema_version": SCHEMA_VERSION,
            "number": number,
            "parent": parent,
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "message": note.message,
            "paths": note.paths,
            "provenance": note.provenance,
            "tree_sha256": sha256_bytes(tree_line),
        }
        commit_line = canonical_json(commit).encode()
        sha256 = sha256_bytes(commit_line)
        made = self._publish(number, [canonical_json(sha256).encode(), commit_line, tree_line])
        return _revision(number, sha256) if made else None

    def _publish(self, number: int, lines: Iterable[bytes]) -> bool:
        path = self._path(number)
        path.parent.mkdir(exist_ok=True)
        with scratch_file(self._scratch) as scratch:
            with open(scratch, "wb") as handle:
                handle.writelines(line + b"\n" for line in lines)
                seal(handle)
            made = link_once(scratch, path)
        for folder in (path.parent, path.parent.parent):
            sync_folder(folder)
        return made

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08d}.jsonl"

    def _open(self, number: int) -> BinaryIO:
        try:
            return open_plain(self._path(number))
        except FileNotFoundError as error:
            raise Unavailable(f"There is no commit {number} in {self._folder.parent}.") from error

    def _read(self, handle: BinaryIO, number: int) -> tuple[LogEntry, str]:
        """The commit that ``handle`` is at the start of, and the hash of its tree."""
        sha256, line = handle.readline().strip(b'"\n').decode(errors="replace"), handle.readline().rstrip(b"\n")
        if sha256_bytes(line) != sha256:
            raise self._corrupt(number)
        commit = json.loads(line)
        if commit["schema_version"] > SCHEMA_VERSION:
            raise Unavailable(
                f"Commit {number} of {self._folder.parent} was made by a newer fvhydra.", "Update fvhydra."
            )
        entry = LogEntry(
            revision=_revision(number, sha256),
            parent=commit["parent"],
            time=commit["time"],
            message=commit["message"],
            paths=tuple(commit["paths"]),
            provenance=commit["provenance"],
        )
        return entry, commit["tree_sha256"]

    def _corrupt(self, number: int) -> Corrupt:
        return Corrupt(f"{self._path(number)} is damaged.", "Restore the file from a backup of the store.")
