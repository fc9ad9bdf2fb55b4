# SPDX-License-Identifier: Apache-2.0
"""What one commit does to a tree, checked before any store looks at it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fvhydra.core import untrusted
from fvhydra.core.errors import Conflict, UsageError
from fvhydra.core.files import canonical_json
from fvhydra.stores.base import Content, FileCopy, LogEntry, checked_path


@dataclass(frozen=True)
class CommitRequest:
    """The arguments of :meth:`fvhydra.stores.base.Store.commit` that name paths; legal, and each path once."""

    adds: dict[str, Content]
    deletes: tuple[str, ...]
    copies: tuple[FileCopy, ...]

    @property
    def written(self) -> list[str]:
        """Paths that the request writes, sorted."""
        return [*self.adds, *(copy.path for copy in self.copies)]

    @property
    def paths(self) -> list[str]:
        """Every path that the request touches, sorted."""
        return sorted([*self.written, *self.deletes])


def checked_request(
    adds: Mapping[str, Content] | None, deletes: Iterable[str], copies: Sequence[FileCopy]
) -> CommitRequest:
    """Gather the parts of a request.

    Raises:
        UsageError: It does nothing, a path is illegal or named twice, one path is the folder of another, or a local
            file is not there.
    """
    request = CommitRequest(dict(adds or {}), tuple(deletes), tuple(copies))
    for path in [*request.paths, *(copy.source for copy in request.copies)]:
        checked_path(path)
    if not request.paths:
        raise UsageError("A commit must add, delete or copy something.")
    for one, other in zip(request.paths, request.paths[1:], strict=False):
        if one == other:
            raise UsageError(f"{one} is named twice in one commit.")
    if clashing := clashes(request.written, request.written):
        raise UsageError(f"{clashing[0]} cannot be a file and a folder in one commit.")
    for path, content in request.adds.items():
        if isinstance(content, Path) and not content.is_file():
            raise UsageError(f"There is no file {content} (for {path}).")
    return request


NOTE_BYTES = 16 * 2**20
"""Largest commit as it is recorded, without its tree: paths, message and provenance, as JSON."""


def checked_note(message: str, provenance: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the provenance as every store can keep it and every reader will take it.

    Raises:
        UsageError: It or the message is not text that can be written, or is larger or deeper than is read again.
    """
    try:
        text = canonical_json({"message": message, "provenance": provenance or {}})
        note = untrusted.parse_json(text, "A commit's message with its provenance")
        check_unicode(note)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"A commit's message with its provenance cannot be kept as JSON: {error}.") from error
    if len(text) > NOTE_BYTES:
        raise UsageError(
            f"A commit's message with its provenance has {len(text):,} bytes; at most {NOTE_BYTES:,} are read again."
        )
    found: dict[str, Any] = note["provenance"]
    return found


def check_unicode(value: Any) -> None:
    """Refuse text that cannot be written as UTF-8.

    Raises:
        UnicodeEncodeError: A text of the JSON value holds half of a surrogate pair.
    """
    json.dumps(value, ensure_ascii=False).encode()


def in_the_way(request: CommitRequest, kept: Collection[str], must_be_absent: bool) -> list[str]:
    """Paths of ``kept`` (the tree without what the request deletes) for which the request must be refused, sorted."""
    taken = set(request.written).intersection(kept) if must_be_absent else set()
    return sorted(taken.union(clashes(request.written, kept)))


def conflict(request: CommitRequest, location: str, since: Sequence[LogEntry]) -> Conflict:
    """Say who moved the store on: ``since`` are the commits after the parent of the request, the newest first."""
    ours = set(request.paths)
    overlapping = [entry for entry in since if not ours.isdisjoint(entry.paths)]
    both = ours.intersection(path for entry in overlapping for path in entry.paths)
    other = (overlapping or since)[0]
    listed = "".join(f"\n    {path}" for path in sorted(both))
    return Conflict(
        f"{other.provenance.get('who', 'Somebody')} committed to {location} at {other.time}, touching "
        + (f"the same files ({other.message}):{listed}" if both else f"other files ({other.message})."),
        "Look at what is there now, then prepare the change again.",
        both,
    )


def below(path: str, prefix: str) -> bool:
    """Whether ``path`` is ``prefix`` or in that folder; everything is below the empty prefix."""
    return prefix in ("", path) or path.startswith(f"{prefix}/")


def clashes(written: Iterable[str], tree: Collection[str]) -> list[str]:
    """Paths that would be a file and a folder at once, sorted, if ``written`` were files in ``tree``."""
    folders = {folder for path in tree for folder in _folders(path)}
    found = set()
    for path in written:
        if path in folders:
            found.add(path)
        found.update(folder for folder in _folders(path) if folder in tree)
    return sorted(found)


def _folders(path: str) -> Iterator[str]:
    return (path[:index] for index, character in enumerate(path) if character == "/")
