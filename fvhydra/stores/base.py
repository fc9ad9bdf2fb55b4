"""The contract of a store. ``tests/contracts/test_stores.py`` holds every store to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Content = bytes | Path
"""What a file in a commit is made of."""


@dataclass(frozen=True)
class Entry:
    """A file of a revision. ``digest`` is ``sha256:<hex>`` or, for small files on the Hub, ``git:<sha1>``."""

    path: str
    size: int
    digest: str


@dataclass(frozen=True)
class Copy:
    """Put ``source`` as it was in ``revision`` (None: the parent) at ``path``, without moving bytes."""

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

    Paths are relative, with forward slashes, without ``.``, ``..``, empty parts, control characters or backslashes;
    anything else is a ``UsageError``. A revision is an opaque string that stays valid for ever.

    Every method may raise ``Unavailable`` (not reachable, no such revision or path) and ``Denied``.
    """

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
            Unavailable: A path does not exist in that revision.
        """

    @abstractmethod
    def commit(
        self,
        adds: Mapping[str, Content] | None = None,
        *,
        deletes: Iterable[str] = (),
        copies: Sequence[Copy] = (),
        parent: str | None = None,
        must_be_absent: bool = False,
        message: str,
        provenance: Mapping[str, Any] | None = None,
    ) -> str:
        """Make one atomic commit and return its revision.

        Args:
            adds: Path to content; new or replacing.
            deletes: Paths to remove; they must exist.
            copies: Server-side copies, see :class:`Copy`.
            parent: Commit only on top of this revision, else ``Conflict``. None: on top of whatever is the head.
            must_be_absent: Refuse (``Exists``, listing all) when any path of ``adds`` or ``copies`` is there, as
                a file or as a folder, or when a file stands where one of their folders would be.
            message: One line for the log.
            provenance: JSON, kept in the log. Its key ``operation``, when given, makes the commit idempotent: when a
                commit with that operation is already in the history, its revision is returned and nothing is written.

        A lost response, a retry or a kill leaves either the whole commit, once, or nothing.

        Raises:
            Conflict, Exists, Denied, Unavailable, UsageError.
        """

    @abstractmethod
    def restore(self, prefix: str, revision: str, *, message: str, provenance: Mapping[str, Any] | None = None) -> str:
        """Make ``prefix`` look as it did in ``revision``, as a new commit on the head; returns the new revision."""

    @abstractmethod
    def log(self, prefix: str = "") -> list[LogEntry]:
        """The history, newest first; with ``prefix`` only commits that touched something at or below it."""

    @abstractmethod
    def check_writable(self) -> None:
        """Return when a commit could be made now, without making one.

        Raises:
            Denied: What is missing (a token, permission) and how to get it.
        """
