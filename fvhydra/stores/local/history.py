# SPDX-License-Identifier: Apache-2.0
"""The commits of a local store: one file each, made in one step or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from fvhydra.core import untrusted
from fvhydra.core.errors import Corrupt, NotFound, Unavailable, UsageError
from fvhydra.core.files import canonical_json, sha256_bytes
from fvhydra.stores.base import LogEntry, checked_path
from fvhydra.stores.commit_request import NOTE_BYTES, check_unicode, clashes
from fvhydra.stores.local.disk import link_once, open_plain, scratch_file, seal, sync_folder
from fvhydra.stores.local.objects import Blob

SCHEMA_VERSION = 1

Tree = dict[str, Blob]
"""Every file of a revision, by path, sorted."""

TREE_BYTES = 64 * 2**20
"""Largest tree, as JSON: that of about 200,000 files."""

_HEAD_BYTES = 80
_FILE = re.compile(r"(\d{8})\.jsonl", re.ASCII)
_REVISION = re.compile(r"(\d{8})-[0-9a-f]{16}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_BY_HAND = "Restore the file from a backup of the store; `python -m fvhydra op=verify` says what else is damaged."


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


@dataclass(frozen=True)
class _Record:
    """The second line of a commit's file."""

    schema_version: int
    number: int
    parent: str
    time: str
    message: str
    paths: list[str]
    provenance: dict[str, Any]
    tree_sha256: str


@dataclass(frozen=True)
class _Read:
    """A commit as it was read, and the hash of its tree."""

    entry: LogEntry
    tree_sha256: str


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
            return self._read(handle, number).entry

    def entries(self, after: int = 0) -> Iterator[LogEntry]:
        """Commits with a higher number than ``after``, the newest first.

        Raises:
            Corrupt: One is damaged, or is not the one that the next was made on.
        """
        parent = None
        for number in range(self.newest(), after, -1):
            entry = self.entry(number)
            if parent not in (None, entry.revision):
                raise self._corrupt(number, f"the next commit was made on {parent}")
            parent = entry.parent
            yield entry

    def number(self, revision: str) -> int:
        """The number of a revision.

        Raises:
            NotFound: It is not in this history.
        """
        match = _REVISION.fullmatch(revision)
        number = int(match[1]) if match else self.newest() + 1
        if revision == EMPTY or (0 < number <= self.newest() and self.entry(number).revision == revision):
            return number
        raise NotFound(
            f"There is no revision {revision} in {self._folder.parent}.", "`python -m fvhydra op=log` lists them."
        )

    def tree(self, revision: str) -> Tree:
        """Every file of a revision."""
        number = self.number(revision)
        if number == 0:
            return {}
        with self._open(number) as handle:
            sha256 = self._read(handle, number).tree_sha256
            line = self._line(handle, number, TREE_BYTES)
        if sha256_bytes(line) != sha256:
            raise self._corrupt(number, "its tree has another hash")
        return self._checked_tree(line, number)

    def others(self) -> list[Path]:
        """What lies among the commits and is none."""
        if not self._folder.is_dir():
            return []
        return sorted(path for path in self._folder.iterdir() if not _FILE.fullmatch(path.name))

    def files(self, revision: str) -> list[Path]:
        """The files that hold a revision and all before it."""
        return [self.path(number) for number in range(1, self.number(revision) + 1)]

    def append(self, parent: str, tree: Tree, note: Note) -> str | None:
        """Commit ``tree`` on top of ``parent``; None when another commit was faster and nothing was written.

        Raises:
            Denied: The file system has no hard links.
            UsageError: The store holds too many files.
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
        if len(tree_line) >= TREE_BYTES or len(commit_line) >= NOTE_BYTES:
            raise UsageError(
                f"A commit of {len(note.paths):,} path(s) in a store of {len(tree):,} is larger than is read again.",
                "Publish fewer files at once, or begin another store.",
            )
        sha256 = sha256_bytes(commit_line)
        made = self._publish(number, [canonical_json(sha256).encode(), commit_line, tree_line])
        return _revision(number, sha256) if made else None

    def _publish(self, number: int, lines: Iterable[bytes]) -> bool:
        path = self.path(number)
        path.parent.mkdir(exist_ok=True)
        with scratch_file(self._scratch) as scratch:
            with open(scratch, "wb") as handle:
                handle.writelines(line + b"\n" for line in lines)
                seal(handle)
            made = link_once(scratch, path)
        for folder in (path.parent, path.parent.parent):
            sync_folder(folder)
        return made

    def path(self, number: int) -> Path:
        """Where a commit is kept."""
        return self._folder / f"{number:08d}.jsonl"

    def _open(self, number: int) -> BinaryIO:
        try:
            return open_plain(self.path(number), NOTE_BYTES + TREE_BYTES + _HEAD_BYTES)
        except FileNotFoundError as error:
            raise Corrupt(f"{self.path(number)} is lost.", _BY_HAND) from error

    def _line(self, handle: BinaryIO, number: int, most_bytes: int) -> bytes:
        line = handle.readline(most_bytes + 1)
        if len(line) > most_bytes:
            raise self._corrupt(number, f"a line has more than {most_bytes:,} bytes")
        return line.rstrip(b"\n")

    def _read(self, handle: BinaryIO, number: int) -> _Read:
        """Read the commit that begins at the position of ``handle``."""
        sha256 = self._line(handle, number, _HEAD_BYTES).strip(b'"').decode(errors="replace")
        line = self._line(handle, number, NOTE_BYTES)
        if sha256_bytes(line) != sha256:
            raise self._corrupt(number, "its commit has another hash")
        record = self._record(line, number)
        entry = LogEntry(
            revision=_revision(number, sha256),
            parent=record.parent,
            time=record.time,
            message=record.message,
            paths=tuple(record.paths),
            provenance=record.provenance,
        )
        return _Read(entry, record.tree_sha256)

    def _record(self, line: bytes, number: int) -> _Record:
        """A commit whose hash is right, which says nothing of who wrote it."""
        path = self.path(number)
        try:
            value = untrusted.parse_json(line, str(path))
            version = value.get("schema_version") if isinstance(value, dict) else None
            if isinstance(version, int) and version > SCHEMA_VERSION:
                raise Unavailable(
                    f"Commit {number} of {self._folder.parent} was made by a newer fvhydra.", "Update fvhydra."
                )
            record = untrusted.typed(_Record, value, f"{path} is no commit")
            check_unicode(value)
            for name in record.paths:
                checked_path(name)
        except (UsageError, UnicodeEncodeError) as error:
            raise self._corrupt(number, str(error)) from error
        parent = _REVISION.fullmatch(record.parent)
        if record.number != number or parent is None or int(parent[1]) != number - 1:
            raise self._corrupt(number, f"it is commit {record.number}, made on {record.parent!r}")
        return record

    def _checked_tree(self, line: bytes, number: int) -> Tree:
        """A tree whose hash is right: every path is one, every object has the name of one."""
        try:
            listed = untrusted.typed(dict[str, tuple[str, int]], untrusted.parse_json(line, "the tree"), "no tree")
            for name, (sha256, size) in listed.items():
                checked_path(name)
                if not _SHA256.fullmatch(sha256) or size < 0:
                    raise UsageError(f"{name} is {sha256!r} of {size} bytes.")
        except UsageError as error:
            raise self._corrupt(number, str(error)) from error
        if clashing := clashes(listed, listed):
            raise self._corrupt(number, f"{clashing[0]} is a file and a folder")
        return {name: Blob(*blob) for name, blob in listed.items()}

    def _corrupt(self, number: int, reason: str) -> Corrupt:
        return Corrupt(f"{self.path(number)} is damaged: {reason.rstrip('.')}.", _BY_HAND)
