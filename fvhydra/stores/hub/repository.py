# SPDX-License-Identifier: Apache-2.0
"""One data set as huggingface_hub shows it: each method is one question, with the answer in a store's words."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi, constants
from huggingface_hub.errors import RemoteEntryNotFoundError
from huggingface_hub.hf_api import GitCommitInfo, RepoFile, RepoFolder

from fvhydra import __version__
from fvhydra.config.store import HubStoreConfig
from fvhydra.core.errors import Corrupt, Denied, UsageError
from fvhydra.core.files import explained as disk_explained
from fvhydra.core.files import given_path
from fvhydra.core.token import Token, find_token
from fvhydra.stores.base import Entry, checked_path
from fvhydra.stores.commit_request import CommitRequest
from fvhydra.stores.hub.failures import HOW_TO_GET_ONE, explained
from fvhydra.stores.hub.session import MOST_BYTES, asking

PAGE = 1000
"""Most entries of a tree that the Hub sends at once."""

CommitOperation = CommitOperationAdd | CommitOperationCopy | CommitOperationDelete

_PATHS = 500
"""Paths that one question may name; the Hub refuses 1000."""

_MOST = 1_000_000
"""Files of a listing. A Hub that has more in one data set advises against it; one without end lists for ever."""

_HEADROOM_BYTES = 2**20
"""Of a download beside the file: compressed text can be longer, and an error has a page of its own."""

_COMMIT = re.compile(r"[0-9a-f]{40}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|git:[0-9a-f]{40}")

_NOTHING_IGNORED = "# whatever .gitignore the data set holds: a commit is whole\n"


@dataclass(frozen=True)
class Found:
    """Which of some paths are files and which are folders."""

    files: dict[str, Entry]
    folders: set[str]


class Repository:
    """A data set and the token it is used with."""

    def __init__(self, config: HubStoreConfig) -> None:
        self._config = config
        self._token = _sendable(find_token())
        self._name = config.repo_id
        self._api = HfApi(
            endpoint=config.endpoint,
            token=self._token.value if self._token else False,
            library_name="fvhydra",
            library_version=__version__,
        )
        self.location = f"hf://datasets/{config.repo_id}" + ("" if config.revision == "main" else f"@{config.revision}")
        self.cache = given_path(config.cache_dir or constants.HF_HUB_CACHE)

    def head(self) -> str:
        """The newest commit of the branch."""
        with self._asking():
            info = self._api.dataset_info(
                self._name, revision=self._config.revision, timeout=self._config.timeout_s, expand=["sha"]
            )
        return self._checked_commit(info.sha)

    def first_page(self, revision: str) -> list[Entry] | None:
        """Every file of a revision if they fit on one page; None when there are more."""
        with self._asking():
            tree = self._api.list_repo_tree(self._name, recursive=True, revision=revision, repo_type="dataset")
            page = list(itertools.islice(tree, PAGE))
        return self._entries(page) if len(page) < PAGE else None

    def below(self, folder: str, revision: str) -> list[Entry]:
        """Every file in a folder and its folders; empty when it is none."""
        with self._asking():
            try:
                tree = self._api.list_repo_tree(
                    self._name, folder or None, recursive=True, revision=revision, repo_type="dataset"
                )
                listed = list(itertools.islice(tree, _MOST + 1))
            except RemoteEntryNotFoundError:
                return []
        if len(listed) > _MOST:
            raise Corrupt(f"{self.location} lists more than {_MOST:,} files below {folder or '/'}.")
        return self._entries(listed)

    def look(self, paths: Iterable[str], revision: str) -> Found:
        """Which of some paths are files, and which folders."""
        items: list[RepoFile | RepoFolder] = []
        wanted = sorted(set(paths))
        for start in range(0, len(wanted), _PATHS):
            with self._asking():
                items += self._api.get_paths_info(
                    self._name, wanted[start : start + _PATHS], revision=revision, repo_type="dataset"
                )
        return Found(
            {entry.path: entry for entry in self._entries(items)},
            {item.path for item in items if isinstance(item, RepoFolder)},
        )

    def commit_of(self, path: str, revision: str) -> str | None:
        """The commit, up to ``revision``, that last wrote a file; None when there is no such file."""
        with self._asking():
            found = self._api.get_paths_info(self._name, [path], expand=True, revision=revision, repo_type="dataset")
        return next((item.last_commit.oid for item in found if item.last_commit), None)

    def commits(self) -> list[GitCommitInfo]:
        """The history of the branch, newest first."""
        with self._asking():
            found = self._api.list_repo_commits(self._name, revision=self._config.revision, repo_type="dataset")
        for commit in found:
            self._checked_commit(commit.commit_id)
        return found

    def upload(self, request: CommitRequest, journal: tuple[str, bytes], parent: str) -> list[CommitOperation]:
        """Bring the large files to where a commit can name them; return what :meth:`commit` needs, for once."""
        adds = [CommitOperationAdd(path, content) for path, content in request.adds.items()]
        adds.append(CommitOperationAdd(*journal))
        with self._asking(writing=True):
            self._api.preupload_lfs_files(
                self._name,
                adds,
                repo_type="dataset",
                revision=self._config.revision,
                free_memory=False,
                gitignore_content=_NOTHING_IGNORED,
            )
        deletes = [CommitOperationDelete(path, is_folder=False) for path in request.deletes]
        copies = [CommitOperationCopy(copy.source, copy.path, copy.revision or parent) for copy in request.copies]
        return [*deletes, *copies, *adds]

    def commit(self, operations: list[CommitOperation], parent: str, message: str, description: str) -> str:
        """Make one commit on ``parent``; return it.

        Raises:
            Overtaken: ``parent`` is not the head; nothing was written.
            Passing: It may have been made, or not.
        """
        with self._asking(writing=True):
            made = self._api.create_commit(
                self._name,
                operations,
                commit_message=message,
                commit_description=description,
                repo_type="dataset",
                revision=self._config.revision,
                parent_commit=parent,
            )
        return str(made.oid)

    def download(self, entry: Entry, revision: str, again: bool) -> Path:
        """Have a file in the cache of huggingface_hub; ``again``: whatever is there already."""
        with disk_explained(self.cache), self._asking(most_bytes=entry.size + _HEADROOM_BYTES):
            return Path(
                self._api.hf_hub_download(
                    self._name,
                    entry.path,
                    repo_type="dataset",
                    revision=revision,
                    cache_dir=self.cache,
                    force_download=again,
                    etag_timeout=self._config.timeout_s,
                )
            )

    def cached(self, entry: Entry) -> Path:
        """Where the cache of huggingface_hub keeps these bytes, of whatever revision, if it has them."""
        folder = self.cache / f"datasets--{self._name.replace('/', '--')}"
        return folder / "blobs" / entry.digest.partition(":")[2]

    def check_writable(self) -> None:
        """Ask the Hub whether this token may write here.

        Raises:
            Denied: It may not, or there is none.
        """
        if self._token is None:
            raise Denied(f"Writing to {self.location} needs a token, and there is none.", HOW_TO_GET_ONE)
        with self._asking(writing=True):
            self._api.auth_check(self._name, repo_type="dataset", write=True)

    @contextlib.contextmanager
    def _asking(self, writing: bool = False, most_bytes: int = MOST_BYTES) -> Iterator[None]:
        bounded = asking(self._config.timeout_s, self._config.xet == "auto", most_bytes)
        with bounded, explained(self.location, self._token, writing):
            yield

    def _entries(self, items: Iterable[RepoFile | RepoFolder]) -> list[Entry]:
        """The files of a listing: whatever the other side says, a path is one and a digest names no other file."""
        return [self._checked(_entry(item)) for item in items if isinstance(item, RepoFile)]

    def _checked(self, entry: Entry) -> Entry:
        try:
            checked_path(entry.path)
        except UsageError as error:
            raise Corrupt(f"{self.location} lists a file that no store has: {error.message}") from error
        if not _DIGEST.fullmatch(entry.digest) or entry.size < 0:
            raise Corrupt(f"{self.location} lists {entry.path} as {entry.digest!r} of {entry.size} bytes.")
        return entry

    def _checked_commit(self, name: object) -> str:
        if not isinstance(name, str) or not _COMMIT.fullmatch(name):
            raise Corrupt(f"{self.location} names a commit {name!r}, which is none.")
        return name


def paths_around(paths: Sequence[str]) -> set[str]:
    """Paths and every folder that they are in."""
    return {path[:end] for path in paths for end in range(1, len(path) + 1) if end == len(path) or path[end] == "/"}


def _entry(file: RepoFile) -> Entry:
    # large files are known by the hash of their content, small ones by that of git
    digest = f"sha256:{file.lfs.sha256}" if file.lfs else f"git:{file.blob_id}"
    return Entry(file.path, file.size, digest)


def _sendable(token: Token | None) -> Token | None:
    # the client quotes a header that it cannot send, and with it the token
    if token is not None and not (token.value.isascii() and token.value.isprintable() and " " not in token.value):
        raise Denied(f"{token.source} holds characters that no token has.", HOW_TO_GET_ONE)
    return token
