# SPDX-License-Identifier: Apache-2.0
"""Kinds of changes: what each may do to a store, and what must be said before it does.

A change is data, and may come from anybody: what it does is held to what its kind says, before anybody is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fvhydra.core.errors import UsageError
from fvhydra.stores import layout
from fvhydra.stores.base import checked_path

if TYPE_CHECKING:
    from fvhydra.review.change import Change

DRAFTS = "drafts/"

Place = Callable[[str], bool]
"""Whether a store path is one of a sort."""

_PLACES: Mapping[Place, str] = {layout.is_reference: "a reference", layout.is_record: "a performance record"}
_ANYWHERE = tuple(_PLACES)
_RECORDS = (layout.is_record,)

_RESEED_FOLDERS = {
    "mirror": "a copy of the records that the data set has",
    "backup": "what a bad seed is corrected from",
    "downloads": "copies of the artifacts that were given by address",
}


@dataclass(frozen=True)
class Kind:
    """What a change of a kind does.

    Attributes:
        phrases: What must be said before it is applied, in order.
        adds: It writes where nothing is.
        replaces: It writes where something is.
        moves: It puts drafts where references belong, and takes them away where they were.
        deletes: It takes files away.
        below: All that it writes is in this folder.
        places: Where it may touch anything: of references, of performance records, or of either.
        unmoved: It is applied to the very revision that was reviewed: what others commit in between, anywhere, makes
            what was reviewed out of date.
        afterwards: What must be said to delete the folders of ``temporary`` once it is applied; empty where it has
            none. Nobody has to say it.
        temporary: Folders of the run that only this change needed, and what each is for.
    """

    phrases: tuple[str, ...]
    adds: bool = False
    replaces: bool = False
    moves: bool = False
    deletes: bool = False
    below: str = ""
    places: tuple[Place, ...] = (layout.is_reference,)
    unmoved: bool = False
    afterwards: str = ""
    temporary: Mapping[str, str] = field(default_factory=dict)

    @property
    def only_adds(self) -> bool:
        """Whether every path that it writes must be free."""
        return not self.replaces


KINDS = {
    "seed": Kind(("upload",), adds=True),
    "draft": Kind(("upload",), adds=True, below=DRAFTS),
    "promote": Kind(("upload",), moves=True),
    "reseed": Kind(("confirm reseed", "upload"), replaces=True),
    "restore": Kind(("upload",), adds=True, replaces=True, places=_ANYWHERE),
    "delete": Kind(("confirm delete", "upload"), adds=True, replaces=True, deletes=True, places=_ANYWHERE),
    "record": Kind(("upload",), adds=True, places=_RECORDS),
    "seed_perf": Kind(
        ("upload",),
        adds=True,
        places=_RECORDS,
        unmoved=True,
        afterwards="cleanup reseed temp",
        temporary=_RESEED_FOLDERS,
    ),
    "reseed_perf": Kind(
        ("confirm performance reseed", "upload"),
        adds=True,
        places=_RECORDS,
        unmoved=True,
        afterwards="cleanup reseed temp",
        temporary=_RESEED_FOLDERS,
    ),
    "supersede_perf": Kind(("confirm delete", "upload"), deletes=True, places=_RECORDS),
}
"""Word in ``change.json`` to what it allows. A ``delete`` is the restore of what was before files were added."""


def refuse_other_than_said(change: Change, where: object) -> None:
    """Refuse a change that does anything else than changes of its kind do.

    Args:
        change: What was read.
        where: Its file, for the message.

    Raises:
        UsageError: Names what it does.
    """
    if change.kind not in KINDS:
        raise UsageError(f"{where} is not a change of this version: its kind is {change.kind!r}.", _AGAIN)
    if trouble := next(_troubles(change, KINDS[change.kind]), None):
        raise UsageError(
            f"{where} was tampered with: a change of the kind {change.kind!r} {trouble}; nothing was published.", _AGAIN
        )


_AGAIN = "Prepare the change again."


def _troubles(change: Change, kind: Kind) -> Iterator[str]:
    written = [item.path for item in change.changes] + [item.path for item in change.copies]
    for path in (*written, *(item.source for item in change.copies), *change.deletes):
        try:
            checked_path(path)
        except UsageError as error:
            yield f"cannot touch {error.message}"
        if not any(is_place(path) for is_place in kind.places):
            yield f"does not touch {path}, which is no place of {' or '.join(_PLACES[place] for place in kind.places)}"
    if twice := [path for path, times in Counter([*written, *change.deletes]).items() if times > 1]:
        yield f"does not touch {twice[0]} twice"
    if outside := [path for path in written if not path.startswith(kind.below)]:
        yield f"writes below {kind.below} only, not {outside[0]}"
    replaced = {item.path for item in change.changes if item.replaces is not None}
    if replaced and not kind.replaces:
        yield f"replaces nothing, and this one replaces {min(replaced)}"
    if not kind.adds and (added := [path for path in written if not _belongs(path, replaced, change, kind)]):
        yield f"adds nothing of its own, and this one adds {added[0]}"
    if change.copies and not kind.moves:
        yield f"copies nothing, and this one copies {change.copies[0].source}"
    moved = {item.source for item in change.copies}
    if not kind.deletes and (lost := sorted(set(change.deletes) - moved)):
        yield f"deletes nothing, and this one deletes {lost[0]}"


def _belongs(path: str, replaced: Collection[str], change: Change, kind: Kind) -> bool:
    """Whether a file goes with what the change replaces, or is a draft that it moves."""
    if kind.moves:
        moves = {item.path: item.source for item in change.copies}
        return path in moves and moves[path].startswith(DRAFTS) and layout.promoted_path(moves[path]) == path
    # data sets from elsewhere have references without a sidecar, and get one
    return path in replaced or (path.endswith(".json") and path.removesuffix(".json") in replaced)
