# SPDX-License-Identifier: Apache-2.0
"""The files of revisions. A revision never changes, so what was learnt once is kept."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fvhydra.core.errors import NotFound, UsageError
from fvhydra.stores.base import Entry
from fvhydra.stores.commit_request import below
from fvhydra.stores.hub.repository import Repository

JOURNAL = "journal"

_RESERVED = (JOURNAL, ".gitattributes")
_FORBIDDEN = (".git", ".cache")
_REVISION = re.compile(r"[0-9a-f]{40}")


class Trees:
    """What is in which revision, without the store's own files."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._whole: dict[str, dict[str, Entry] | None] = {}
        self._known: dict[str, dict[str, Entry]] = {}

    def files(self, prefix: str, revision: str) -> dict[str, Entry]:
        """Files at or below ``prefix``, sorted. One request for most data sets, whatever is asked later."""
        checked_revision(revision, self._repository.location)
        if revision not in self._whole:
            page = self._repository.first_page(revision)
            self._whole[revision] = None if page is None else self._learn(revision, page)
        known = self._whole[revision]
        if known is None:
            known = self._learn(revision, self._repository.below(prefix, revision))
            if not known and prefix:
                known = self.look([prefix], revision)
        return {path: known[path] for path in sorted(known) if below(path, prefix)}

    def look(self, paths: Iterable[str], revision: str) -> dict[str, Entry]:
        """Those of ``paths`` that are files."""
        checked_revision(revision, self._repository.location)
        wanted, known = set(paths), self._known.get(revision, {})
        unknown = wanted - known.keys()
        if unknown and self._whole.get(revision) is None:
            self._learn(revision, self._repository.look(unknown, revision).files.values())
            known = self._known[revision]
        return {path: known[path] for path in sorted(wanted & known.keys())}

    def _learn(self, revision: str, entries: Iterable[Entry]) -> dict[str, Entry]:
        found = {entry.path: entry for entry in entries if not is_reserved(entry.path)}
        self._known.setdefault(revision, {}).update(found)
        return found


def is_reserved(path: str) -> bool:
    """Whether a path of the data set belongs to the store, and is not one of its files."""
    return any(below(path, reserved) for reserved in _RESERVED)


def checked_revision(revision: str, location: str) -> str:
    """Return a revision unchanged when it is one: the name of a branch is none, it would not stay the same.

    Raises:
        NotFound: It is no hash of a commit.
    """
    if not _REVISION.fullmatch(revision):
        raise NotFound(f"There is no revision {revision} in {location}.", "`python -m fvhydra op=log` lists them.")
    return revision


def refuse_taken(paths: Iterable[str]) -> None:
    """Refuse paths that a data set cannot have.

    Raises:
        UsageError: The store or the Hub keeps the name for itself.
    """
    for path in paths:
        if is_reserved(path) or not set(_FORBIDDEN).isdisjoint(path.split("/")):
            raise UsageError(
                f"{path} cannot be a file of a store on the Hub: {', '.join((*_RESERVED, *_FORBIDDEN))} are taken."
            )
