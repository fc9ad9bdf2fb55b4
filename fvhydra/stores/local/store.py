# SPDX-License-Identifier: Apache-2.0
"""The local store: commits by compare-and-swap on a folder."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fvhydra.config.store import LocalStoreConfig, StoreConfig
from fvhydra.core import files
from fvhydra.core.errors import Conflict, Exists, NotFound, StoreError, UsageError
from fvhydra.core.filesystem import check_names
from fvhydra.stores.base import Content, Entry, FileCopy, LogEntry, Store, checked_path, checked_prefix
from fvhydra.stores.commit_request import CommitRequest, below, checked_note, checked_request, conflict, in_the_way
from fvhydra.stores.local.disk import check_folders, link_once, refusals, scratch_file
from fvhydra.stores.local.history import History, Note, Tree
from fvhydra.stores.local.objects import Blob, Objects
from fvhydra.stores.local.verification import GRACE_S, Parts, Walk
from fvhydra.stores.local.view import View
from fvhydra.stores.patience import Patience
from fvhydra.stores.verification import Tell, Verification

_FOLDERS = ("objects", "log", "tmp")
_SHOW_ATTEMPTS = 20
_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 0.2
"""While others write too: a commit of theirs takes some milliseconds."""


_log = logging.getLogger(__name__)


class LocalStore(Store):
    """A store in a folder; see the package for how it is kept."""

    config: LocalStoreConfig
    heals = True

    def __init__(self, config: LocalStoreConfig) -> None:
        super().__init__(config)
        self._root = files.given_path(config.path).absolute()
        self._scratch = self._root / "tmp"
        self._objects = Objects(self._root / "objects", self._scratch)
        self._history = History(self._root / "log", self._scratch)
        self._view = View(self._root / "current", self._objects, self._scratch)

    @property
    def location(self) -> str:
        return str(self._root)

    def head(self) -> str:
        with self._guarded():
            return self._history.head()

    def files(self, prefix: str = "", revision: str | None = None) -> dict[str, Entry]:
        prefix = checked_prefix(prefix)
        tree = self._tree(revision)
        return {
            path: Entry(path, blob.size, f"sha256:{blob.sha256}") for path, blob in tree.items() if below(path, prefix)
        }

    def fetch(self, paths: Iterable[str], to: Path, revision: str | None = None) -> dict[str, Path]:
        tree = self._tree(revision)
        blobs = {path: self._blob(tree, checked_path(path)) for path in paths}
        check_names(to, blobs)
        with self._guarded():
            for path, blob in blobs.items():
                if not _holds(to / path, blob):
                    with files.atomic_path(to / path, durable=False) as temporary:
                        self._objects.copy(blob, temporary)
        return {path: to / path for path in blobs}

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
        request = checked_request(adds, deletes, copies)
        note = Note(message, request.paths, checked_note(message, provenance))
        with self._guarded():
            self._check_ours()
            revision = self._commit(request, note, parent, must_be_absent)
        self._show()
        return revision

    def log(self, prefix: str = "") -> list[LogEntry]:
        prefix = checked_prefix(prefix)
        with self._guarded():
            return [entry for entry in self._history.entries() if any(below(path, prefix) for path in entry.paths)]

    def local_files(self, prefixes: Iterable[str]) -> list[Path]:
        folders = [checked_prefix(prefix) for prefix in prefixes]
        with self._guarded():
            head = self._history.head()
            tree = self._history.tree(head)
            wanted = {blob for path, blob in tree.items() if any(below(path, folder) for folder in folders)}
            # one that is lost is lost elsewhere too, and costs only its own case there
            there = sorted(self._objects.path(blob) for blob in wanted if self._objects.is_there(blob))
            return [*self._history.files(head), *there]

    def config_elsewhere(self) -> StoreConfig:
        return replace(self.config, path=str(files.given_path(self.config.path)))

    def check_writable(self) -> None:
        with self._guarded():
            self._check_ours()
            for folder in {_nearest_folder(self._root / name) for name in _FOLDERS}:
                # by doing it: permission bits say little about read-only mounts, network shares and root
                with scratch_file(folder) as trial:
                    link = trial.with_name(f"{trial.name}-link")
                    link_once(trial, link)
                    link.unlink()

    def published(self, operation: str) -> str | None:
        with self._guarded():
            return self._landed(operation, 0)

    def refresh(self) -> None:
        with self._guarded():
            self._show()

    def verify(self, tell: Tell, *, repair: bool = False, grace_s: float = GRACE_S) -> Verification:
        """Look at every commit, the content of every revision, ``current/``, and what was left behind.

        Args:
            tell: Hears how far it is.
            repair: Put contents back of which ``current/`` has a right copy still, show the newest revision there, and
                remove what commands that were killed left: objects that no commit has, unfinished files.
            grace_s: Leave alone what is younger, in seconds: it may belong to a commit that is being made.
        """
        parts = Parts(self._history, self._objects, self._view, self._show)
        with self._guarded():
            self._check_ours()
            return Walk(parts, repair=repair, grace_s=grace_s)(tell)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Every dealing with the folder: explained refusals, and nothing behind symbolic links."""
        with refusals(self._root):
            check_folders(*(self._root / name for name in _FOLDERS))
            yield

    def _tree(self, revision: str | None) -> Tree:
        with self._guarded():
            return self._history.tree(revision or self._history.head())

    def _blob(self, tree: Tree, path: str) -> Blob:
        if path not in tree:
            raise NotFound(f"There is no file {path} in that revision of {self.location}.")
        return tree[path]

    def _commit(self, request: CommitRequest, note: Note, parent: str | None, must_be_absent: bool) -> str:
        blobs: Tree | None = None
        seen = 0
        patience = Patience(first_s=_PAUSE_S, longest_s=_LONGEST_PAUSE_S)
        while True:
            head = self._history.head()
            operation = note.provenance.get("operation")
            if operation is not None and (landed := self._landed(operation, seen)):
                return landed
            seen = self._history.number(head)
            if parent not in (None, head):
                raise conflict(request, str(self._root), list(self._history.entries(self._history.number(parent))))
            tree = self._edited(request, head, must_be_absent)
            if blobs is None:  # only now, when nothing speaks against the commit
                blobs = self._objects.put(request.adds)
            revision = self._history.append(head, dict(sorted({**tree, **blobs}.items())), note)
            if revision:
                return revision
            patience.wait(Conflict(f"Others kept committing to {self.location}.", "Try again in a minute."))

    def _landed(self, operation: str, after: int) -> str | None:
        """Revision of the commit with an operation, if it was made later than the commit ``after``."""
        entries = self._history.entries(after)
        return next((entry.revision for entry in entries if entry.provenance.get("operation") == operation), None)

    def _edited(self, request: CommitRequest, head: str, must_be_absent: bool) -> Tree:
        """The tree after the deletes and copies of an request, with room for its adds."""
        now = self._history.tree(head)
        for path in request.deletes:
            self._blob(now, path)
        gone = set(request.deletes)
        kept = {path: blob for path, blob in now.items() if path not in gone}
        if taken := in_the_way(request, kept, must_be_absent):
            raise Exists(taken)
        sources = {
            copy.revision: self._history.tree(copy.revision) if copy.revision else now for copy in request.copies
        }
        return kept | {copy.path: self._blob(sources[copy.revision], copy.source) for copy in request.copies}

    def _show(self) -> None:
        """Bring ``current/`` up to date. The commit stands, so no trouble here may look like its failure."""
        problem: Exception | None = None
        for _ in range(_SHOW_ATTEMPTS):
            try:
                head = self._history.head()
                ever = {path for entry in self._history.entries() for path in entry.paths}
                unshown = self._view.show(self._history.tree(head), ever)
                if self._history.head() == head:
                    for path, reason in unshown.items():
                        _log.warning("%s is not in %s/current, which cannot hold it: %s", path, self._root, reason)
                    return
            except (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError) as error:
                problem = error  # somebody is making folders that we remove, or the other way round
            except (OSError, StoreError) as error:
                problem = error
                break
        _log.warning("The commit was made, but %s/current is not up to date: %s", self._root, problem)

    def _check_ours(self) -> None:
        """Refuse a folder with other things in it: a wrong ``store.path`` must not spread into somebody's documents."""
        names = {path.name for path in self._root.iterdir()} if self._root.exists() else set()
        strange = sorted(name for name in names - set(_FOLDERS) if not name.startswith("."))
        if strange and self._history.newest() == 0:
            raise UsageError(
                f"{self._root} is no store and not empty: it holds {strange[0]}.",
                "Choose an empty or new folder with store.path=<folder>.",
            )


def _holds(target: Path, blob: Blob) -> bool:
    """Whether a file has the wanted bytes already."""
    return (
        target.is_file()
        and not target.is_symlink()
        and target.stat().st_size == blob.size
        and files.sha256_file(target) == blob.sha256
    )


def _nearest_folder(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())
