# SPDX-License-Identifier: Apache-2.0
"""What a walk through a store finds, and the walk that every store allows: each file of the newest revision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from fvhydra.core.errors import Corrupt

if TYPE_CHECKING:
    from fvhydra.stores.base import Entry, Store

Tell = Callable[[str], None]
"""Hears how far a walk is, one line at a time."""


UNVERIFIED = "unverified"
"""Key of a change's provenance: path to digest of what it replaced without having been able to read it."""


class Kind(StrEnum):
    """What is wrong with something in a store."""

    DAMAGED = "damaged"
    """Bytes that are not those of their hash."""
    LOST = "lost"
    """Bytes that are not there."""
    HISTORY = "history"
    """A commit that cannot be read."""
    FORMER = "former"
    """Damaged or lost bytes that no newer revision has, and that a later change said to be so when it replaced them."""
    LITTER = "litter"
    """What commands that were killed left behind."""
    VIEW = "view"
    """A file that people look at and that is not the newest."""
    STRANGE = "strange"
    """Something that no store made; left alone."""


HARM = (Kind.DAMAGED, Kind.LOST, Kind.HISTORY)
"""What keeps a reference, of whatever revision, from being had."""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        kind: What is wrong with it.
        where: The file of the store, for people.
        message: One sentence.
        paths: Files of the newest revision that cannot be had for it.
        repaired: Whether it is as it should be now.
    """

    kind: Kind
    where: str
    message: str
    paths: tuple[str, ...] = ()
    repaired: bool = False


@dataclass
class Verification:
    """What a walk looked at, and what it found."""

    commits: int = 0
    files: int = 0
    """Contents, each counted once however many paths and revisions have it."""
    size: int = 0
    """Of all contents, bytes."""
    findings: list[Finding] = field(default_factory=list)

    @property
    def harm(self) -> list[Finding]:
        """What is broken and was not repaired."""
        return [finding for finding in self.findings if finding.kind in HARM and not finding.repaired]


def verify_newest(store: Store, tell: Tell, look: Callable[[Entry, str], object] | None = None) -> Verification:
    """Read the history, and fetch every file of the newest revision, one by one.

    Args:
        store: The store.
        tell: Hears how far it is.
        look: Gets a file of a revision from where it is kept, not a cache, or raises ``Corrupt``; else it is fetched.
    """
    found = Verification()
    try:
        found.commits = len([entry for entry in store.log() if entry.paths])
    except Corrupt as error:
        found.findings.append(Finding(Kind.HISTORY, store.location, error.message))
    head = store.head()
    entries = store.files("", head)
    for number, (path, entry) in enumerate(entries.items(), 1):
        tell(f"{number} of {len(entries)}: {path}")
        found.files, found.size = found.files + 1, found.size + entry.size
        try:
            if look:
                look(entry, head)
            else:
                with TemporaryDirectory() as scratch:
                    store.fetch([path], Path(scratch), head)
        except Corrupt as error:
            found.findings.append(Finding(Kind.DAMAGED, path, error.message, (path,)))
    return found
