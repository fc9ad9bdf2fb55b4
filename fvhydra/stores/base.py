# SPDX-License-Identifier: Apache-2.0
"""The contract of a store. ``fvhydra.testing.stores`` holds every store to it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from fvhydra.config.store import StoreConfig
from fvhydra.core.errors import Conflict, NotFound, UsageError
from fvhydra.stores.patience import Patience
from fvhydra.stores.verification import Tell, Verification, verify_newest

Content = bytes | Path
"""What a file in a commit is made of."""

UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Characters that no part of a path may hold: separators, control characters, line breaks, halves of a surrogate."""

PART_BYTES = 255
"""Longest name of a file or folder, in UTF-8, on every file system that matters."""


def checked_path(path: str) -> str:
    """Return a store path unchanged when it is one.

    Raises:
        UsageError: It is absolute, empty, leaves its folder, or some file systems could not hold it.
    """
    for part in path.split("/"):
        if part in ("", ".", "..") or UNSAFE.search(part) or len(part.encode()) > PART_BYTES:
            raise UsageError(
                f"{path!r} is not a store path: between its slashes must stand names of 1 to {PART_BYTES} bytes, not "
                "'.' or '..', without backslashes and control characters."
            )
    return path


def checked_prefix(prefix: str) -> str:
    """Return the path of a folder or file without the slash that may follow it; empty for the whole store.

    Raises:
        UsageError: It is not a store path.
    """
    return checked_path(prefix.removesuffix("/")) if prefix else ""


@dataclass(frozen=True)
class Entry:
    """A file of a revision. ``digest`` is ``sha256:<hex>`` or, for small files on the Hub, ``git:<sha1>``."""

    path: str
    size: int
    digest: str


@dataclass(frozen=True)
class FileCopy:
    """Put ``source`` as it was in ``revision`` (None: the commit's parent) at ``path``, without moving bytes."""

    path: str
    source: str
    revision: str | None = None


@dataclass(frozen=True)
class LogEntry:
    """A commit, newest first in :meth:`Store.log`."""

    revision: str
    parent: str | None
    time: str
    """UTC, ISO 8601."""
    message: str
    paths: tuple[str, ...]
    """Every path that the commit added, replaced or deleted, sorted."""
    provenance: dict[str, Any] = field(default_factory=dict)


class Store(ABC):
    """A versioned tree of files.

    A path is what :func:`checked_path` lets through; anything else is a ``UsageError``. A revision is an opaque string
    that stays valid for ever. Reading changes nothing, not even in a store that was never written.

    What it reads of its own is data, whoever wrote it: a path or name in a log, a listing or a tree is what
    :func:`checked_path` lets through, or the store is ``Corrupt``.

    Every method may raise ``Unavailable`` (not reachable), ``NotFound`` (no such address, branch, revision or path),
    ``Corrupt`` and ``Denied``.
    """

    needs_token: ClassVar[bool] = False
    """Whether reading or writing it may need a token of the Hub (``fvhydra.core.token``)."""

    heals: ClassVar[bool] = False
    """Whether bytes that were damaged or lost are whole again once the very same are committed."""

    def __init__(self, config: StoreConfig) -> None:
        self.config = config

    @property
    @abstractmethod
    def location(self) -> str:
        """Where the store is, for people: a folder or a repository."""

    @abstractmethod
    def head(self) -> str:
        """The newest revision. A store that was never written has one too (an empty tree)."""

    @abstractmethod
    def files(self, prefix: str = "", revision: str | None = None) -> dict[str, Entry]:
        """Files at or below the folder (or file) ``prefix``, by path, sorted; of ``revision`` or the head."""

    @abstractmethod
    def fetch(self, paths: Iterable[str], to: Path, revision: str | None = None) -> dict[str, Path]:
        """Put files under ``to`` with their store paths; only those that differ are transferred.

        Every byte is verified against the recorded hash, also of files that were there already.

        Raises:
            Corrupt: The store's own bytes do not match their hash.
            NotFound: A path does not exist in that revision.
            UsageError: The file system of ``to`` cannot hold a path, or not two of them at once.
        """

    @abstractmethod
    def commit(
        self,
        adds: Mapping[str, Content] | None = None,
        *,
        deletes: Iterable[str] = (),
        copies: Sequence[FileCopy] = (),
        parent: str | None = None,
        must_be_absent: bool = False,
        message: str,
        provenance: Mapping[str, Any] | None = None,
    ) -> str:
        """Make one atomic commit and return its revision.

        A path is in one of ``adds``, ``deletes`` and ``copies`` at most, and not all of them are empty.

        Args:
            adds: Path to content; new or replacing.
            deletes: Paths to remove; they must exist.
            copies: Server-side copies, see :class:`FileCopy`.
            parent: Commit only on top of this revision, else ``Conflict``. None: on top of whatever is the head, again
                and again (bounded) while others are faster.
            must_be_absent: Refuse (``Exists``, listing all) when any path of ``adds`` or ``copies`` is there, as
                a file or as a folder, or when a file stands where one of their folders would be.
            message: One line for the log.
            provenance: JSON, kept in the log. Its key ``operation``, when given, makes the commit idempotent: when a
                commit with that operation is already in the history, its revision is returned and nothing is written.
                Its key ``who``, when given, is named to others whom the commit gets in the way of.

        A lost response, a retry or a kill leaves either the whole commit, once, or nothing.

        Raises:
            Conflict: ``parent`` is not the head; ``paths`` are those that both sides touched.
            Exists: See ``must_be_absent``. Also, always: a file would stand where a folder is, or a folder where a file
                is.
            NotFound: A path to delete or copy is not there.
            UsageError: A path is not one or is named twice, a local file cannot be read, the message or the provenance
                is no text or too large, the disk is full.
            Denied: The store may not be written.
        """

    def restore(self, prefix: str, revision: str, *, message: str, provenance: Mapping[str, Any] | None = None) -> str:
        """Make ``prefix`` look as it did in ``revision``, as a new commit on the head; returns the new revision.

        Files outside ``prefix`` stay. When nothing differs, nothing is committed and the head is returned. The
        provenance of the commit gets a key ``restored``.

        Raises:
            NotFound: There is nothing at ``prefix``, neither then nor now.
            Conflict: Others kept committing.
        """
        then = self.files(prefix, revision)
        patience = Patience()
        while True:
            head = self.head()
            now = self.files(prefix, head)
            if not then and not now:
                raise NotFound(
                    f"There is nothing at {prefix or '/'} in {self.location}, neither now nor in {revision}."
                )
            extra = sorted(now.keys() - then.keys())
            differing = [path for path, entry in then.items() if path not in now or now[path].digest != entry.digest]
            if not extra and not differing:
                return head
            try:
                return self.commit(
                    deletes=extra,
                    copies=[FileCopy(path, path, revision) for path in differing],
                    parent=head,
                    message=message,
                    provenance={"restored": {"prefix": prefix, "revision": revision}, **(provenance or {})},
                )
            except Conflict:
                moving = f"The store {self.location} kept moving while {prefix or 'it'} was restored."
                patience.wait(Conflict(moving, "Try again in a minute."))

    @abstractmethod
    def log(self, prefix: str = "") -> list[LogEntry]:
        """The history, newest first; with ``prefix`` only commits that touched something at or below it."""

    def local_files(self, prefixes: Iterable[str]) -> list[Path]:
        """Files of this machine by which another, that has them under the same paths, can read the head.

        Of the files of the store it can read those below ``prefixes``, and list all. Nothing for a store that every
        machine reaches.
        """
        return []

    def config_elsewhere(self) -> StoreConfig:
        """The configuration by which a machine with the files of :meth:`local_files`, and another home, reads it."""
        return self.config

    def published(self, operation: str) -> str | None:
        """Revision of the commit whose provenance has that ``operation``; None when it was never made."""
        entries = self.log()
        return next((entry.revision for entry in entries if entry.provenance.get("operation") == operation), None)

    def refresh(self) -> None:
        """Bring up to date what people look at beside the store itself, after a command that was killed too early.

        Nothing for a store that shows nothing.
        """
        return

    def verify(self, tell: Tell, *, repair: bool = False) -> Verification:
        """Look whether everything is there and whole: the history, and at least each file of the newest revision.

        Args:
            tell: Hears how far it is, one line at a time.
            repair: Put right what needs no decision. A content is never made up: it is put back where a copy with its
                hash is left, or stays damaged.

        Raises:
            Unavailable: Nobody can look just now.
        """
        return verify_newest(self, tell)

    @abstractmethod
    def check_writable(self) -> None:
        """Return when a commit could be made now, without making one.

        Raises:
            Denied: What is missing (a token, permission) and how to get it.
        """
