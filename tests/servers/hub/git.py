# SPDX-License-Identifier: Apache-2.0
"""A git repository in memory: blobs, trees, commits and branches, each object under its real SHA-1."""

from __future__ import annotations

import hashlib
import itertools
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize (\d+)\n")


@dataclass(frozen=True)
class Pointer:
    """What git keeps of a large file."""

    sha256: str
    size: int

    def encode(self) -> bytes:
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {self.size}\n".encode()

    @staticmethod
    def decode(data: bytes) -> Pointer | None:
        match = _POINTER.fullmatch(data)
        return Pointer(match[1].decode(), int(match[2])) if match else None


@dataclass(frozen=True)
class Commit:
    sha: str
    tree: str
    parent: str | None
    author: str
    time: float
    title: str
    description: str

    @property
    def date(self) -> str:
        return datetime.fromtimestamp(self.time, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@dataclass
class Repo:
    """``lock`` makes the compare-and-swap of a branch one step."""

    private: bool = True
    gated: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)
    branches: dict[str, str] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)
    _trees: dict[str, dict[str, str]] = field(default_factory=dict)

    def put(self, kind: str, data: bytes) -> str:
        sha = hashlib.sha1(b"%s %d\0" % (kind.encode(), len(data)) + data).hexdigest()
        self.objects.setdefault(sha, data)
        return sha

    def put_tree(self, files: Mapping[str, str]) -> str:
        """Keep a tree given as path to blob; folders are trees of their own.

        Raises:
            ValueError: A path is a file and a folder.
        """
        here: dict[str, str] = {}
        below: dict[str, dict[str, str]] = {}
        for path, blob in files.items():
            name, slash, rest = path.partition("/")
            if slash:
                below.setdefault(name, {})[rest] = blob
            else:
                here[name] = blob
        if both := here.keys() & below.keys():
            raise ValueError(f"{sorted(both)[0]} is a file and a folder")
        entries = [("100644", name, blob, name) for name, blob in here.items()]
        entries += [("40000", name, self.put_tree(inner), name + "/") for name, inner in below.items()]
        entries.sort(key=lambda entry: entry[3].encode())
        data = b"".join(f"{mode} {name}\0".encode() + bytes.fromhex(sha) for mode, name, sha, _ in entries)
        return self.put("tree", data)

    def files(self, commit: str) -> dict[str, str]:
        """Path to blob of a commit. The caller may change it."""
        tree = self.commits[commit].tree
        if tree not in self._trees:
            self._trees[tree] = dict(self._walk(tree, ""))
        return dict(self._trees[tree])

    def folders(self, commit: str) -> dict[str, str]:
        """Path to tree of every folder of a commit."""
        found: dict[str, str] = {}
        for path, _ in self._walk(self.commits[commit].tree, "", found):
            assert path
        return found

    def _walk(self, tree: str, prefix: str, folders: dict[str, str] | None = None) -> Iterator[tuple[str, str]]:
        data = self.objects[tree]
        while data:
            head, _, rest = data.partition(b"\0")
            mode, name = head.decode().split(" ", 1)
            sha, data = rest[:20].hex(), rest[20:]
            if mode == "40000":
                if folders is not None:
                    folders[prefix + name] = sha
                yield from self._walk(sha, f"{prefix}{name}/", folders)
            else:
                yield prefix + name, sha

    def commit(self, branch: str, files: Mapping[str, str], author: str, title: str, description: str = "") -> str:
        """Make ``files`` the newest tree of a branch."""
        tree, parent, now = self.put_tree(files), self.branches.get(branch), time.time()
        who = f"{author} <{author}@hub.invalid> {int(now)} +0000"
        message = f"{title}\n\n{description}" if description else title
        body = f"tree {tree}\n" + (f"parent {parent}\n" if parent else "")
        sha = self.put("commit", f"{body}author {who}\ncommitter {who}\n\n{message}\n".encode())
        self.commits[sha] = Commit(sha, tree, parent, author, now, title, description)
        self.branches[branch] = sha
        return sha

    def resolve(self, revision: str) -> str | None:
        """The commit that a branch or a hash names."""
        if revision in self.branches:
            return self.branches[revision]
        return revision if revision in self.commits else None

    def history(self, commit: str) -> list[Commit]:
        """A commit and all before it, newest first."""
        found = []
        current: str | None = commit
        while current:
            found.append(self.commits[current])
            current = self.commits[current].parent
        return found

    def last_change(self, commit: str, path: str) -> Commit:
        """The newest commit in which a file became what it is."""
        history = self.history(commit)
        wanted = self.files(commit)[path]
        for newer, older in itertools.pairwise(history):
            if self.files(older.sha).get(path) != wanted:
                return newer
        return history[-1]

    def pointer(self, blob: str) -> Pointer | None:
        data = self.objects[blob]
        return Pointer.decode(data) if len(data) < 200 else None

    def describe(self, path: str, blob: str) -> dict[str, Any]:
        """A file as listings show it."""
        pointer = self.pointer(blob)
        found: dict[str, Any] = {"type": "file", "oid": blob, "path": path}
        if pointer is None:
            return found | {"size": len(self.objects[blob])}
        lfs = {"oid": pointer.sha256, "size": pointer.size, "pointerSize": len(self.objects[blob])}
        return found | {"size": pointer.size, "lfs": lfs}
