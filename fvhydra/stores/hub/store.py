# SPDX-License-Identifier: Apache-2.0
"""The store on the Hub: commits by compare-and-swap on a branch of a data set."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from fvhydra.config.store import HubStoreConfig
from fvhydra.core import files
from fvhydra.core.errors import Conflict, Corrupt, Exists, NotFound, StoreError, Unavailable
from fvhydra.core.filesystem import check_names
from fvhydra.stores.base import Content, Entry, FileCopy, LogEntry, Store, checked_path, checked_prefix
from fvhydra.stores.commit_request import CommitRequest, below, checked_note, checked_request, conflict, in_the_way
from fvhydra.stores.content import holds, is_content_of
from fvhydra.stores.hub.failures import Overtaken, Passing
from fvhydra.stores.hub.history import History, describe
from fvhydra.stores.hub.repository import Repository, paths_around
from fvhydra.stores.hub.threads import each
from fvhydra.stores.hub.trees import JOURNAL, Trees, checked_revision, refuse_taken
from fvhydra.stores.patience import Patience
from fvhydra.stores.verification import Tell, Verification, verify_newest

_LONGEST_PAUSE_S = 4.0
"""While others write too: a commit of theirs takes a second or so."""
_DOWNLOADS = 8

_UNSURE = "Whether the commit was made is not known. Publishing again is safe: a change is never made twice."
_FILE_NAME = re.compile(r"[\w-]{1,100}", re.ASCII)
_Answer = TypeVar("_Answer")


class HubStore(Store):
    """A store in a data set; see the package for how it is kept."""

    needs_token = True

    def __init__(self, config: HubStoreConfig) -> None:
        super().__init__(config)
        self._retry_s = config.retry_s
        self._repository = Repository(config)
        self._trees = Trees(self._repository)
        self._history = History(self._trees, config.repo_id, config.cache_dir)

    @property
    def location(self) -> str:
        return self._repository.location

    def head(self) -> str:
        return self._ask(self._repository.head)

    def files(self, prefix: str = "", revision: str | None = None) -> dict[str, Entry]:
        prefix = checked_prefix(prefix)
        at = revision or self.head()
        return self._ask(lambda: self._trees.files(prefix, at))

    def fetch(self, paths: Iterable[str], to: Path, revision: str | None = None) -> dict[str, Path]:
        wanted = [checked_path(path) for path in paths]
        if not wanted:
            return {}
        at = revision or self.head()
        entries = self._ask(lambda: self._trees.look(wanted, at))
        self._check_there(wanted, entries)
        check_names(to, wanted)
        each(partial(self._bring, to, at), entries.values(), _DOWNLOADS)
        return {path: to / path for path in wanted}

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
        refuse_taken(request.paths)
        if parent is not None:
            checked_revision(parent, self.location)
        attempt = _Attempt(request, parent, must_be_absent, message, checked_note(message, provenance))
        patience = Patience(self._retry_s, longest_s=_LONGEST_PAUSE_S)
        while True:
            try:
                revision = self._commit(attempt)
                self._check_whole(attempt, revision)
                return revision
            except Overtaken as failure:
                patience.wait(self._given_up(attempt, failure))
            except Passing as failure:
                if attempt.sent:
                    failure.hint = _UNSURE
                patience.wait(failure, failure.retry_after_s)

    def _given_up(self, attempt: _Attempt, failure: Overtaken) -> StoreError:
        """The error for an operation that is given up because the time for retrying is over."""
        if len(attempt.heads) > 1:
            return Conflict(f"Others kept committing to {self.location}.", "Try again in a minute.")
        return Unavailable(
            f"{failure.message.rstrip('.')}, it answers (412), and yet its head is {max(attempt.heads)} as before.",
            f"A cache or proxy in between may be stale. {_UNSURE}",
        )

    def log(self, prefix: str = "") -> list[LogEntry]:
        prefix = checked_prefix(prefix)
        commits = self._ask(self._repository.commits)
        entries = self._ask(lambda: self._history.entries(commits, len(commits)))
        return [entry for entry in entries if not prefix or any(below(path, prefix) for path in entry.paths)]

    def published(self, operation: str) -> str | None:
        head = self.head()
        return self._ask(lambda: self._repository.commit_of(journal_of(operation), head))

    def verify(self, tell: Tell, *, repair: bool = False) -> Verification:
        """Download every file of the newest revision, whatever is in the cache, and read the history."""
        return verify_newest(self, tell, self._downloaded)

    def check_writable(self) -> None:
        self._ask(self._repository.check_writable)

    def _ask(self, question: Callable[[], _Answer]) -> _Answer:
        """Repeat a call while its error may pass, within ``store.retry_s``."""
        patience = Patience(self._retry_s)
        while True:
            try:
                return question()
            except Passing as failure:
                patience.wait(failure, failure.retry_after_s)

    def _check_there(self, wanted: Iterable[str], found: Mapping[str, Entry]) -> None:
        for path in wanted:
            if path not in found:
                raise NotFound(f"There is no file {path} in that revision of {self.location}.")

    def _bring(self, to: Path, revision: str, entry: Entry) -> None:
        target = to / entry.path
        if not target.is_symlink() and holds(target, entry):
            return
        with files.atomic_path(target, durable=False) as temporary:
            for source in self._sources(entry, revision):
                shutil.copyfile(source, temporary)
                if holds(temporary, entry):
                    return
            raise self._damaged(entry, source)

    def _damaged(self, entry: Entry, file: Path) -> Corrupt:
        file.resolve().unlink(missing_ok=True)  # others trust this cache
        return Corrupt(
            f"The bytes of {entry.path} that {self.location} sends are not those that were stored.",
            "Make the reference anew with op=reseed_ssim, or put an earlier one back with op=restore.",
        )

    def _downloaded(self, entry: Entry, revision: str) -> None:
        for _ in range(2):  # once more: what was damaged may only have been on its way
            file = self._ask(partial(self._repository.download, entry, revision, True))
            if holds(file, entry):
                return
        raise self._damaged(entry, file)

    def _sources(self, entry: Entry, revision: str) -> Iterator[Path]:
        """Where the bytes may be found, the cheapest first; only some of them may be damaged."""
        cached = self._repository.cached(entry)
        if cached.is_file():
            yield cached
        for again in (cached.is_file(), True):
            yield self._ask(partial(self._repository.download, entry, revision, again))

    def _commit(self, attempt: _Attempt) -> str:
        head = self._repository.head()
        attempt.heads.add(head)
        if attempt.may_be_done() and (done := self._repository.commit_of(attempt.journal, head)):
            return done
        if attempt.parent not in (None, head):
            raise self._conflict(attempt.request, str(attempt.parent))
        attempt.expected = self._sources_of_copies(attempt.request, head)
        self._check_free(attempt, head)
        operations = self._repository.upload(attempt.request, (attempt.journal, attempt.note()), head)
        attempt.sent = True
        return self._repository.commit(operations, head, attempt.message, attempt.description())

    def _sources_of_copies(self, request: CommitRequest, head: str) -> dict[str, Entry]:
        """The content that each copied path must have after the commit."""
        expected = {}
        for revision in {copy.revision for copy in request.copies}:
            group = {copy.path: copy.source for copy in request.copies if copy.revision == revision}
            found = self._trees.look(group.values(), revision or head)
            self._check_there(group.values(), found)
            expected.update({path: found[source] for path, source in group.items()})
        return expected

    def _check_free(self, attempt: _Attempt, head: str) -> None:
        """Refuse what is in the way of the request, looking only at the part of the tree that could be."""
        request = attempt.request
        found = self._repository.look([*paths_around(request.written), *request.deletes], head)
        self._check_there(request.deletes, found.files)
        tree = set(found.files)
        for folder in found.folders.intersection(request.written):
            tree.update(entry.path for entry in self._repository.below(folder, head))
        if taken := in_the_way(request, tree - set(request.deletes), attempt.must_be_absent):
            raise Exists(taken)

    def _conflict(self, request: CommitRequest, parent: str) -> Conflict:
        commits = self._repository.commits()
        revisions = [commit.commit_id for commit in commits]
        if parent not in revisions:
            raise NotFound(f"There is no revision {parent} in {self.location}.")
        return conflict(request, self.location, self._history.entries(commits, revisions.index(parent)))

    def _check_whole(self, attempt: _Attempt, revision: str) -> None:
        """Look whether everything is there: what happens on the way to a commit is up to two other programs."""
        found = self._repository.look(attempt.request.written, revision).files
        wrong = [
            path
            for path, content in attempt.request.adds.items()
            if path not in found or not is_content_of(content, found[path])
        ]
        wrong += [
            path for path, entry in attempt.expected.items() if path not in found or found[path].digest != entry.digest
        ]
        if wrong:
            listed = "".join(f"\n    {path}" for path in sorted(wrong))
            raise Corrupt(
                f"{self.location} made commit {revision} without, or with other bytes of:{listed}",
                "A .gitignore in the data set can do that. Take the rule out and prepare the change again.",
            )


@dataclass
class _Attempt:
    """A commit on its way. It is told apart from all others by the name of its journal."""

    request: CommitRequest
    parent: str | None
    must_be_absent: bool
    message: str
    provenance: Mapping[str, Any]
    expected: dict[str, Entry] = field(default_factory=dict)
    heads: set[str] = field(default_factory=set)
    """Every head that it was prepared on."""
    sent: bool = False

    def __post_init__(self) -> None:
        operation = self.provenance.get("operation")
        self.repeats = operation is not None
        self.journal = journal_of(str(operation or secrets.token_hex(16)))

    def may_be_done(self) -> bool:
        """Whether the commit may have been made: by us, a moment ago, or by anybody with the same operation."""
        return self.sent or self.repeats

    def note(self) -> bytes:
        """What the journal says. Never the same twice: the client drops a commit that changes nothing."""
        note = {"message": self.message, "paths": self.request.paths, "provenance": self.provenance}
        return files.canonical_json(note | {"attempt": secrets.token_hex(16)}).encode()

    def description(self) -> str:
        """What the commit says about itself."""
        return describe(self.request.paths, self.provenance)


def journal_of(operation: str) -> str:
    """The file that the commit with an operation brings along."""
    name = operation if _FILE_NAME.fullmatch(operation) else files.sha256_bytes(operation.encode())
    return f"{JOURNAL}/{name}.json"
