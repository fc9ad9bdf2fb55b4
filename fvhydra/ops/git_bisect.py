# SPDX-License-Identifier: Apache-2.0
"""``git bisect`` in a working tree of its own, so that the checkout of the person stays as it is."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from pathlib import Path

from fvhydra.core.bisection import Commit, Outcome
from fvhydra.core.errors import InfrastructureError, UsageError

_FOUND = re.compile(r"^# first bad commit: \[([0-9a-f]{40,64})\]", re.MULTILINE)
_SUSPECT = re.compile(r"^# possible first bad commit: \[([0-9a-f]{40,64})\]", re.MULTILINE)
_FORMAT = "%H%x00%s%x00%an%x00%aI"
_ONLY_SKIPPED = 2
"""Exit code of ``git bisect`` when what is left has been skipped."""


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


class History:
    """The commits from a good one to a bad one, of the repository around a checkout.

    Args:
        checkout: Folder of the repository, or one below.
        good: A commit, branch or tag that is good.
        bad: One that is bad.

    Raises:
        UsageError: It is no checkout, one of the two is no commit of it, or both are the same.
    """

    def __init__(self, checkout: Path, good: str, bad: str) -> None:
        if not checkout.is_dir():
            raise UsageError(f"engine.path={checkout} is not a folder.", "Give the checkout of the engine.")
        try:
            self.root = Path(git(checkout, "rev-parse", "--show-toplevel"))
            self.within = git(checkout, "rev-parse", "--show-prefix")
        except InfrastructureError as error:
            raise UsageError(f"engine.path={checkout} is in no checkout of git.", error.message) from error
        self.good, self.bad = self._commit("good", good), self._commit("bad", bad)
        if self.good == self.bad:
            raise UsageError(f"op.good={good} and op.bad={bad} are the same commit.", "There is nothing to search.")
        listed = git(self.root, "rev-list", "--reverse", "--topo-order", f"{self.good}..{self.bad}").split()
        self.positions = {sha: position for position, sha in enumerate(listed, 1)}

    def commit(self, sha: str) -> Commit:
        """What there is to know of a commit."""
        known, subject, author, time = git(self.root, "show", "-s", f"--format={_FORMAT}", sha).split("\0")
        return Commit(known, subject, author, time, self.positions.get(sha, 0))

    def _commit(self, side: str, ref: str) -> str:
        try:
            # the end of options, so that no ref is taken for one
            return git(self.root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        except InfrastructureError as error:
            raise UsageError(
                f"op.{side}={ref} is no commit, branch or tag of {self.root}.", "Look with: git log --oneline"
            ) from error


class GitBisect:
    """A search through a history, in a linked working tree that goes when the block ends.

    Args:
        history: What is searched.
        folder: Where the working tree is made. What an earlier search left there is taken away.
    """

    def __init__(self, history: History, folder: Path) -> None:
        self.history, self.folder = history, folder.absolute()

    @property
    def engine_path(self) -> Path:
        """What stands for the folder that was given as the checkout."""
        return self.folder / self.history.within

    def __enter__(self) -> GitBisect:
        self._remove()
        git(self.history.root, "worktree", "add", "--force", "--detach", str(self.folder), self.history.bad)
        return self

    def __exit__(self, *raised: object) -> None:
        self._remove()

    def _remove(self) -> None:
        """Take the working tree away, with git's notes on it; what is not there is no matter."""
        with contextlib.suppress(InfrastructureError):
            git(self.history.root, "worktree", "remove", "--force", "--force", str(self.folder))

    def check_out(self, sha: str) -> None:
        """Put a commit into the working tree, whatever a build has changed in it."""
        git(self.folder, "checkout", "--quiet", "--force", "--detach", sha)

    def start(self) -> None:
        """Begin, between the two ends."""
        self._bisect("start", self.history.bad, self.history.good)

    def mark(self, sha: str, outcome: Outcome) -> None:
        """Tell what a commit is; the next one is put into the working tree."""
        git(self.folder, "checkout", "--quiet", "--force", "--detach", sha)  # undo what a build has changed
        self._bisect("skip" if outcome == "skipped" else outcome, sha)

    def _bisect(self, *words: str) -> None:
        try:
            git(self.folder, "bisect", *words, allowed=(0, _ONLY_SKIPPED))
        except InfrastructureError as error:
            if "merge base" not in error.message:
                raise
            raise UsageError(
                "The good commit is no ancestor of the bad one, and where their histories part it is bad already: "
                "what is searched for was mended in the good one.",
                "Give op.good= an ancestor of op.bad=.",
            ) from error

    @property
    def candidate(self) -> str | None:
        """The commit to look at next; None when git has an answer."""
        log = self._log
        return None if _FOUND.search(log) or _SUSPECT.search(log) else git(self.folder, "rev-parse", "HEAD")

    @property
    def first_bad(self) -> Commit | None:
        """The answer, if there is one."""
        found = _FOUND.search(self._log)
        return self.history.commit(found[1]) if found else None

    @property
    def suspects(self) -> list[Commit]:
        """What the answer may be, where skipped commits leave it open."""
        return [self.history.commit(sha) for sha in dict.fromkeys(_SUSPECT.findall(self._log))]

    @property
    def _log(self) -> str:
        return git(self.folder, "bisect", "log")
