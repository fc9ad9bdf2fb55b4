# SPDX-License-Identifier: Apache-2.0
"""The checkout that ``engine.path`` names: its commits, and working trees of them beside it.

The checkout of the person stays as it is, and no hook of its repository is run.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from fvhydra.core.errors import InfrastructureError, UsageError


def git(folder: Path, *words: str, allowed: tuple[int, ...] = (0,)) -> str:
    """What ``git`` prints in a folder. No hook of the repository is run, and its words are English.

    Raises:
        InfrastructureError: There is no git, or it ended with a code that is not ``allowed``.
    """
    command = ["git", "-C", str(folder), "-c", f"core.hooksPath={os.devnull}", *words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, env={**os.environ, "LC_ALL": "C"}
        )
    except OSError as error:
        raise InfrastructureError(f"git cannot be started ({error}).", "Install git.") from error
    if done.returncode not in allowed:
        said = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
        raise InfrastructureError(f"git {words[0]} failed in {folder}: {said}")
    return done.stdout.strip()


class Checkout:
    """The repository around a folder.

    Args:
        folder: Its folder, or one below.

    Raises:
        UsageError: It is no folder, or in no repository.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise UsageError(f"engine.path={folder} is not a folder.", "Give the checkout of the engine.")
        try:
            self.root = Path(git(folder, "rev-parse", "--show-toplevel"))
            self.within = git(folder, "rev-parse", "--show-prefix")
        except InfrastructureError as error:
            raise UsageError(f"engine.path={folder} is in no checkout of git.", error.message) from error

    def commit(self, ref: str, option: str) -> str:
        """The commit that a ref names.

        Args:
            ref: A commit, branch or tag.
            option: Who says so, for the message: ``op.good=v1``.

        Raises:
            UsageError: There is no such commit.
        """
        try:
            # the end of options, so that no ref is taken for one
            return git(self.root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        except InfrastructureError as error:
            raise UsageError(
                f"{option} is no commit, branch or tag of {self.root}.", "Look with: git log --oneline"
            ) from error

    @contextlib.contextmanager
    def working_tree(self, folder: Path, commit: str) -> Iterator[Path]:
        """What stands for the folder that was given, as it is in a commit, until the block ends.

        Only what git knows is in it.

        Args:
            folder: Where the working tree is made. What an earlier one left there is taken away.
            commit: What is in it first.
        """
        folder = folder.absolute()
        self._remove(folder)
        git(self.root, "worktree", "add", "--force", "--detach", str(folder), commit)
        try:
            yield folder / self.within
        finally:
            self._remove(folder)

    def _remove(self, folder: Path) -> None:
        """Take a working tree away, with git's notes on it; what is not there is no matter."""
        with contextlib.suppress(InfrastructureError):
            git(self.root, "worktree", "remove", "--force", "--force", str(folder))
