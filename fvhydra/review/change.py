# SPDX-License-Identifier: Apache-2.0
"""A change: a reviewed edit of a store. Every write to a store is one.

``save_change`` writes ``change.json`` into a run folder, ``apply_change`` makes one atomic commit of it. What is
uploaded is what was reviewed: hashes are checked again. Applying twice, a lost response or two people applying the same
change gives exactly one commit, because the change carries the operation id that the store looks for.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydantic

from fvhydra.core import files, untrusted
from fvhydra.core.environment import now
from fvhydra.core.errors import Conflict, UsageError
from fvhydra.core.run import RunFolder
from fvhydra.review.kinds import KINDS, refuse_other_than_said
from fvhydra.stores.base import FileCopy, Store
from fvhydra.stores.patience import Patience

SCHEMA_VERSION = 1

_AGAIN = "Prepare the change again."
_LOOK_BACK = 50
"""Newest run folders in which a change is looked for that was published by a command that was killed."""
_EXACT = pydantic.ConfigDict(extra="forbid")


@dataclass
class ChangeFile:
    """One file of a change: ``file`` in the run folder goes to ``path`` in the store."""

    __pydantic_config__ = _EXACT

    path: str
    file: str
    sha256: str
    replaces: str | None = None
    """Digest of what is there now; None when the path must be free."""


@dataclass
class ChangeCopy:
    """A file that the store has already: ``source``, as it was in the change's parent, is put at ``path`` too."""

    __pydantic_config__ = _EXACT

    path: str
    source: str


@dataclass
class Change:
    """A prepared edit; :data:`~fvhydra.review.kinds.KINDS` says what each ``kind`` of them does."""

    __pydantic_config__ = _EXACT

    kind: str
    title: str
    reason: str
    store: str
    parent: str
    changes: list[ChangeFile]
    copies: list[ChangeCopy] = field(default_factory=list)
    deletes: list[str] = field(default_factory=list)
    follow_up: str = ""
    """What to do once it is applied, for the person; ``{revision}`` stands for the revision that it became."""
    questions: dict[str, str] = field(default_factory=dict)
    """Phrase to what the person is shown before it is asked for."""
    blocked_by: list[str] = field(default_factory=list)
    """Names of the review criteria that failed and that nobody accepted."""
    provenance: dict[str, Any] = field(default_factory=dict)
    operation: str = field(default_factory=lambda: secrets.token_hex(16))
    created: str = field(default_factory=now)
    applied: str | None = None
    """The revision that it became."""
    schema_version: int = SCHEMA_VERSION

    @property
    def paths(self) -> list[str]:
        """Every path of the store that it touches, sorted."""
        return sorted({item.path for item in self.changes} | {item.path for item in self.copies} | set(self.deletes))


def save_change(run: RunFolder, change: Change) -> None:
    """Keep a change in its run folder."""
    files.write_json(run.path / "change.json", change)


def load_change(run: RunFolder) -> Change:
    """Read the change of a run folder.

    Raises:
        UsageError: There is none, it was written by another version, or it does anything else than its kind says.
    """
    path = run.path / "change.json"
    if not path.is_file():
        raise UsageError(f"{run.path} holds no prepared change.", "Give the folder of the run that prepared it.")
    change = untrusted.typed(Change, untrusted.read_json(path), f"{path} is not a change of this version", _AGAIN)
    if change.schema_version != SCHEMA_VERSION:
        raise UsageError(f"{path} has schema version {change.schema_version}, this fvhydra reads {SCHEMA_VERSION}.")
    refuse_other_than_said(change, path)
    return change


def verify_files(run: RunFolder, change: Change) -> dict[str, Path]:
    """Check that the files are the reviewed ones; return store path to local file.

    Raises:
        UsageError: A file is missing, or its bytes are not those that were reviewed.
    """
    contents = {}
    for item in change.changes:
        local = run.inside(item.file)
        if not local.is_file():
            raise UsageError(
                f"{local} was reviewed but is missing now; nothing was published.",
                "Seed again, or copy the whole run folder.",
            )
        if files.sha256_file(local) != item.sha256:
            raise UsageError(f"{local} was changed after the review; nothing was published.", "Seed again.")
        contents[item.path] = local
    return contents


def apply_change(run: RunFolder, change: Change, store: Store, who: str) -> str:
    """Make the change: one atomic commit on top of the store's head. Returns its revision.

    Commits that others made since the review are kept when they touched other paths.

    Args:
        who: The person who confirmed it, for the store's history.

    Raises:
        Exists: A path that the change only adds has been taken meanwhile.
        Conflict: Somebody else touched the same paths; says who and what.
        UsageError: The reviewed files are not there any more, the change is blocked or for another store, or it says
            that it replaces what is not there.
    """
    refuse_other_than_said(change, run.path / "change.json")
    if change.blocked_by:
        raise UsageError(
            f"The review found what must not be published: {', '.join(change.blocked_by)}.",
            f"If it is right all the same, publish with op.accept=[{','.join(change.blocked_by)}].",
        )
    if store.location != change.store:
        raise UsageError(
            f"The change was prepared for the store {change.store}, not for {store.location}.",
            "Use the same store= options as when it was prepared.",
        )
    contents = verify_files(run, change)
    _refuse_other_originals(change, store)
    provenance = {
        **change.provenance,
        "who": who,
        "operation": change.operation,
        "kind": change.kind,
        "reason": change.reason,
    }
    parent = change.parent
    patience = Patience()
    while True:
        try:
            revision = store.commit(
                contents,
                deletes=change.deletes,
                copies=[FileCopy(item.path, item.source, change.parent) for item in change.copies],
                parent=parent,
                must_be_absent=KINDS[change.kind].only_adds,
                message=change.title,
                provenance=provenance,
            )
        except Conflict:
            parent = _newer_head(store, change)
            moving = f"The store {store.location} kept moving while the change was applied."
            patience.wait(Conflict(moving, "Try again in a minute."))
            continue
        change.applied = revision
        save_change(run, change)
        return revision


def _refuse_other_originals(change: Change, store: Store) -> None:
    """What a change says that it replaces must be what its parent has, and be nothing where it says that it adds."""
    if KINDS[change.kind].only_adds:
        return  # the commit looks itself
    folders = {item.path.rpartition("/")[0] for item in change.changes}
    there = {path: entry.digest for name in folders for path, entry in store.files(name, change.parent).items()}
    for item in change.changes:
        if (found := there.get(item.path)) != item.replaces:
            raise UsageError(
                f"The change says that at {item.path} it replaces {item.replaces or 'nothing'}, and revision "
                f"{change.parent} has {found or 'nothing'} there; nothing was published.",
                _AGAIN,
            )


def _newer_head(store: Store, change: Change) -> str:
    """The head to commit on instead, when nothing in between touched the same paths, and the kind allows any other."""
    wanted = set(change.deletes if KINDS[change.kind].only_adds else change.paths)
    head = store.head()
    for entry in store.log():
        if entry.revision == change.parent:
            break
        who = entry.provenance.get("who", "somebody")
        if KINDS[change.kind].unmoved:
            raise Conflict(
                f"{who} changed {store.location} at {entry.time} ({entry.message}), after what was reviewed; nothing "
                "was published.",
                "Prepare the change again, and look at its numbers again.",
            )
        # whether the path of an added file is free is checked by the commit itself, which lists all that are not
        if touched := sorted(wanted & set(entry.paths)):
            listed = "".join(f"\n    {path}" for path in touched)
            raise Conflict(
                f"{who} changed the same files at {entry.time} ({entry.message}); nothing was published:{listed}",
                "Look at what is there now, then prepare the change again.",
                touched,
            )
    return head


def published_before(runs: Path, store: Store, paths: Collection[str]) -> tuple[Path, str] | None:
    """Find the change that put ``paths`` into a store, and that nobody was told of: the command was killed.

    Args:
        runs: A folder with run folders.
        store: The store that has the paths.
        paths: Every path that the change touched.

    Returns:
        The run folder that prepared it, and the revision that it became; None when there is none.
    """
    for path in sorted(runs.glob("*/change.json"), reverse=True)[:_LOOK_BACK]:
        try:
            change = load_change(RunFolder(path.parent))
        except UsageError:  # of another version, or damaged: it is not the one
            continue
        same = change.applied is None and change.store == store.location and set(change.paths) == set(paths)
        if same and (revision := store.published(change.operation)):
            return path.parent, revision
    return None
