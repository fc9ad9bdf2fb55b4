# SPDX-License-Identifier: Apache-2.0
"""The commits of a data set as entries of a log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import cached_assets_path
from huggingface_hub.hf_api import GitCommitInfo

from fvhydra.core import files, untrusted
from fvhydra.core.errors import UsageError
from fvhydra.stores.base import LogEntry, checked_path
from fvhydra.stores.commit_request import check_unicode
from fvhydra.stores.hub.threads import each
from fvhydra.stores.hub.trees import Trees

_KEY = "fvhydra"
_LONGEST_DESCRIPTION = 32_000
"""Characters. A commit of thousands of files does not list them there: its trees tell."""

_READERS = 8


def describe(paths: Sequence[str], provenance: Mapping[str, Any]) -> str:
    """What a commit of ours says about itself, for its description."""
    whole = files.canonical_json({_KEY: {"paths": paths, "provenance": provenance}})
    if len(whole) <= _LONGEST_DESCRIPTION:
        return whole
    return files.canonical_json({_KEY: {"provenance": provenance}})


class History:
    """Commits that other tools made say nothing of their paths: then the trees before and after do.

    That takes two listings, so what they differ in is kept among the assets of huggingface_hub, by commit.
    """

    def __init__(self, trees: Trees, repo_id: str, cache_dir: str | None) -> None:
        self._trees = trees
        self._assets = (repo_id.replace("/", "--"), Path(cache_dir) / "assets" if cache_dir else None)

    def entries(self, commits: Sequence[GitCommitInfo], known_to: int) -> list[LogEntry]:
        """Entries of the first ``known_to`` commits, which are all or the newest, newest first."""
        parents = [commit.commit_id for commit in commits[1:]] + [None]
        pairs = list(zip(commits, parents, strict=True))[:known_to]
        return each(lambda pair: self._entry(*pair), pairs, _READERS)

    def _entry(self, commit: GitCommitInfo, parent: str | None) -> LogEntry:
        note = _note(commit.message)
        title, authors = (text.encode(errors="replace").decode() for text in (commit.title, ", ".join(commit.authors)))
        return LogEntry(
            revision=commit.commit_id,
            parent=parent,
            time=commit.created_at.isoformat(timespec="milliseconds"),
            message=title,
            paths=tuple(self._changed(commit.commit_id, parent) if note.paths is None else note.paths),
            provenance={"who": authors} if note.provenance is None else note.provenance,
        )

    def _changed(self, revision: str, parent: str | None) -> Iterable[str]:
        namespace, assets_dir = self._assets
        kept = cached_assets_path("fvhydra", namespace, "changes", assets_dir=assets_dir) / f"{revision}.json"
        if not kept.is_file():
            after = self._trees.files("", revision)
            before = self._trees.files("", parent) if parent else {}
            both = after.keys() | before.keys()
            files.write_json(kept, sorted(path for path in both if after.get(path) != before.get(path)))
        return untrusted.typed(list[str], untrusted.read_json(kept), f"{kept} is no list of paths", f"Remove {kept}.")


@dataclass(frozen=True)
class _Note:
    """What :func:`describe` wrote."""

    paths: list[str] | None = None
    provenance: dict[str, Any] | None = None


def _note(description: str) -> _Note:
    """What a commit says of itself; nothing for those of other tools, whatever their descriptions look like."""
    try:
        said = untrusted.parse_json(description, "the description")[_KEY]
        note = untrusted.typed(_Note, said, "the description is not ours")
        check_unicode(said)
        for path in note.paths or ():
            checked_path(path)
    except (UsageError, UnicodeEncodeError, TypeError, KeyError, IndexError):
        return _Note()
    return note
