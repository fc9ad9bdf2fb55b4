# SPDX-License-Identifier: Apache-2.0
"""Walking through a local store: is everything there, and is there nothing else?"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fvhydra.core.errors import Corrupt
from fvhydra.stores.base import LogEntry
from fvhydra.stores.local.history import History, Tree
from fvhydra.stores.local.objects import Blob, Objects
from fvhydra.stores.local.view import View
from fvhydra.stores.verification import UNVERIFIED, Finding, Kind, Tell, Verification

GRACE_S = 24 * 3600.0
"""What is younger may belong to a commit that is being made."""


@dataclass
class _Known:
    """What the history says, as far as it can be read."""

    entries: list[LogEntry] = field(default_factory=list)
    newest: Tree = field(default_factory=dict)
    uses: dict[Blob, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Every content of every revision, with the paths that have or had it."""
    replaced: set[str] = field(default_factory=set)
    """Hashes that a change said it could not read when it replaced them."""
    whole: bool = True
    """Whether every commit and tree could be read: else nobody knows what is unused."""


@dataclass(frozen=True)
class Parts:
    """What a local store is made of."""

    history: History
    objects: Objects
    view: View
    refresh: Callable[[], None]
    """Brings the view up to date."""


class Walk:
    """One walk; with ``repair`` it puts right what it can without deciding anything for a person."""

    def __init__(self, parts: Parts, *, repair: bool, grace_s: float) -> None:
        self._history = parts.history
        self._objects = parts.objects
        self._view = parts.view
        self._refresh = parts.refresh
        self._repair = repair
        self._grace_s = grace_s
        self._found = Verification()

    def __call__(self, tell: Tell) -> Verification:
        """Look at every commit, every content, and everything else that lies in the folder."""
        # before the history: what a commit that is made meanwhile brings is unused in neither
        lying = self._objects.all()
        known = self._read(tell)
        self._contents(known, tell)
        self._litter(known, lying)
        self._shown(known)
        self._found.findings += [
            Finding(Kind.STRANGE, str(path), "No store made it; it was left alone.")
            for path in [*self._history.others(), *self._objects.others()]
        ]
        return self._found

    # ------------------------------------------------------------------ the history
    def _read(self, tell: Tell) -> _Known:
        known, parent = _Known(), None
        newest = self._history.newest()
        for number in range(newest, 0, -1):
            tell(f"commit {newest - number + 1} of {newest}")
            try:
                entry = self._history.entry(number)
                if parent not in (None, entry.revision):
                    raise Corrupt(f"Commit {number} is not the one that the next was made on.")
                parent = entry.parent
                known.entries.append(entry)
                tree = self._history.tree(entry.revision)
            except Corrupt as error:
                parent = None
                known.whole = False
                self._found.findings.append(Finding(Kind.HISTORY, str(self._history.path(number)), error.message))
                continue
            known.newest = tree if number == newest else known.newest
            for path, blob in tree.items():
                known.uses[blob].add(path)
            replaced = entry.provenance.get(UNVERIFIED, {})
            if isinstance(replaced, dict):
                known.replaced |= {str(digest).removeprefix("sha256:") for digest in replaced.values()}
        self._found.commits = len(known.entries)
        return known

    # ------------------------------------------------------------------ contents
    def _contents(self, known: _Known, tell: Tell) -> None:
        today = defaultdict(list)
        for path, blob in known.newest.items():
            today[blob].append(path)
        for number, blob in enumerate(sorted(known.uses), 1):
            tell(f"content {number} of {len(known.uses)}")
            self._found.files += 1
            self._found.size += blob.size
            trouble = self._objects.trouble(blob)
            if trouble is None:
                continue
            paths = tuple(sorted(today[blob]))
            healed = self._repair and self._healed(blob, known.uses[blob])
            former = not paths and blob.sha256 in known.replaced
            kind = Kind.FORMER if former else Kind.LOST if trouble == "is lost" else Kind.DAMAGED
            message = f"{_listed(known.uses[blob])}: {'put back from current/' if healed else trouble}"
            self._found.findings.append(Finding(kind, str(self._objects.path(blob)), message, paths, healed))

    def _healed(self, blob: Blob, paths: set[str]) -> bool:
        """Whether a copy that people look at has the right bytes still. It is believed for its hash alone."""
        return any(self._objects.put_back(blob, self._view.path(path)) for path in sorted(paths))

    # ------------------------------------------------------------------ everything else
    def _litter(self, known: _Known, lying: list[Path]) -> None:
        used = {blob.sha256 for blob in known.uses}
        unused = [path for path in lying if path.name not in used]
        if unused and not known.whole:
            what = "No commit that can be read has it; one that is damaged may."
            self._found.findings += [Finding(Kind.STRANGE, str(path), what) for path in unused]
            unused = []
        for path in [*unused, *self._objects.unfinished()]:
            try:
                age_s = time.time() - path.lstat().st_ctime
                removed = self._repair and age_s > self._grace_s
                if removed:
                    path.unlink()
            except FileNotFoundError:  # its owner is alive
                continue
            age = f"{age_s / 3600:.0f} hour(s) old" if age_s > 3600 else "less than an hour old"
            said = "was removed" if removed else age if age_s > self._grace_s else f"{age}, may still be in use"
            self._found.findings.append(
                Finding(Kind.LITTER, str(path), f"Left by a command that was killed; {said}.", repaired=removed)
            )

    def _shown(self, known: _Known) -> None:
        ever = {path for entry in known.entries for path in entry.paths} | known.newest.keys()
        differences = self._view.differences(known.newest, ever)
        left = differences
        if differences and self._repair and known.whole:
            self._view.drop(differences)
            self._refresh()
            left = self._view.differences(known.newest, ever)
        for path, what in differences.items():
            self._found.findings.append(
                Finding(Kind.VIEW, str(self._view.path(path)), f"{what}.", repaired=path not in left)
            )


def _listed(paths: set[str], most: int = 3) -> str:
    first = sorted(paths)[:most]
    return ", ".join(first) + (f" and {len(paths) - most} more" if len(paths) > most else "")
