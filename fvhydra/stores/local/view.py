# SPDX-License-Identifier: Apache-2.0
"""The newest tree of a local store as plain files, for a person with a player."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from fvhydra.core.errors import Corrupt
from fvhydra.core.files import sha256_file
from fvhydra.core.filesystem import unholdable
from fvhydra.stores.local.disk import scratch_file
from fvhydra.stores.local.history import Tree
from fvhydra.stores.local.objects import Blob, Objects


class View:
    """``current/``: read-only copies. Whatever is done to them, the store's own bytes stay as they are.

    A copy has its object's size and time of modification, to the nanosecond, and is taken for current when both are
    equal (the rule of rsync), so showing a tree that is shown already costs two looks a file.
    """

    def __init__(self, folder: Path, objects: Objects, scratch: Path) -> None:
        self._folder = folder
        self._objects = objects
        self._scratch = scratch

    def show(self, tree: Tree, ever: Iterable[str]) -> dict[str, str]:
        """Make the folder look like ``tree``.

        Another process may be showing another tree; each file is whole at any time, and whoever finishes last with the
        newest tree has put everything right.

        Args:
            tree: What is to be seen.
            ever: Every path that the store ever had. Those that are not in ``tree`` are removed; files that the store
                does not know (a person's notes) are left alone.

        Returns:
            What is not shown since the file system cannot hold such a name, with the reasons.
        """
        gone = set(ever) - tree.keys()
        for folder in sorted({path.parent for path in map(self.path, [*tree, *gone])}):
            self._unlink_folder(folder)
        for path in gone:
            self._remove(self.path(path))
        unshown = unholdable(self._folder, tree)
        for path, blob in tree.items():
            if path not in unshown:
                self._copy(blob, self.path(path))
        return unshown

    def path(self, path: str) -> Path:
        """Where a file is shown."""
        return self._folder / path

    def differences(self, tree: Tree, ever: Iterable[str]) -> dict[str, str]:
        """What is not as :meth:`show` would have it, byte for byte: path to sentence.

        What cannot be shown, since its object is lost or the file system has no such names, is not missed.
        """
        found = {}
        unshown = unholdable(self._folder, tree)
        for path, blob in tree.items():
            if path in unshown:
                continue
            target = self.path(path)
            if self._behind_link(target):
                found[path] = "Is a symbolic link, or behind one"
            elif not target.is_file():
                if self._objects.trouble(blob) is None:
                    found[path] = "Is not shown"
            elif target.stat().st_size != blob.size or sha256_file(target) != blob.sha256:
                found[path] = "Has other bytes than the newest revision"
        for path in sorted(set(ever) - tree.keys()):
            if self.path(path).is_file() and not self._behind_link(self.path(path)):
                found[path] = "Is shown, and the newest revision does not have it"
        return found

    def drop(self, paths: Iterable[str]) -> None:
        """Remove files, so that they are shown anew; nothing is removed through symbolic links."""
        targets = [self.path(path) for path in paths]
        for folder in {target.parent for target in targets}:
            self._unlink_folder(folder)
        for target in targets:
            with contextlib.suppress(OSError):  # a person's folder stands there
                target.unlink(missing_ok=True)

    def _behind_link(self, path: Path) -> bool:
        within = [path, *path.parents]
        return any(part.is_symlink() for part in within[: within.index(self._folder) + 1])

    def _unlink_folder(self, folder: Path) -> None:
        """Remove symbolic links among the folders, so that nothing is ever written through them."""
        for part in (folder, *folder.parents):
            if part.is_symlink():
                part.unlink(missing_ok=True)
            if part == self._folder:
                break

    def _remove(self, path: Path) -> None:
        try:
            path.unlink()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return
        for folder in path.parents:
            if folder == self._folder:
                break
            try:
                folder.rmdir()
            except OSError:  # not empty, or somebody was faster
                break

    def _copy(self, blob: Blob, target: Path) -> None:
        if not self._objects.is_there(blob):  # lost: the rest can be shown, and whoever fetches it is told
            return
        wanted = self._objects.path(blob).lstat()
        try:
            found = target.lstat()
        except (FileNotFoundError, NotADirectoryError):
            found = None
        if found and (found.st_size, found.st_mtime_ns) == (wanted.st_size, wanted.st_mtime_ns):
            return
        with scratch_file(self._scratch) as scratch:
            try:
                self._objects.copy(blob, scratch)
            except Corrupt:  # as if it were lost: what is shown is what was approved
                return
            scratch.chmod(0o444)
            os.utime(scratch, ns=(wanted.st_atime_ns, wanted.st_mtime_ns))
            target.parent.mkdir(parents=True, exist_ok=True)
            scratch.replace(target)
