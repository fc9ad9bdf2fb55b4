# SPDX-License-Identifier: Apache-2.0
"""``git bisect`` in a working tree of its own, so that the checkout of the person stays as it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fvhydra.core.bisection import Commit, Outcome
from fvhydra.core.errors import InfrastructureError, UsageError
from fvhydra.ops.checkout import Checkout, git

_FOUND = re.compile(r"^# first bad commit: \[([0-9a-f]{40,64})\]", re.MULTILINE)
_SUSPECT = re.compile(r"^# possible first bad commit: \[([0-9a-f]{40,64})\]", re.MULTILINE)
_FORMAT = "%H%x00%s%x00%an%x00%aI"
_ONLY_SKIPPED = 2
"""Exit code of ``git bisect`` when what is left has been skipped."""


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
        self.checkout = Checkout(checkout)
        self.root = self.checkout.root
        self.good = self.checkout.commit(good, f"op.good={good}")
        self.bad = self.checkout.commit(bad, f"op.bad={bad}")
        if self.good == self.bad:
            raise UsageError(f"op.good={good} and op.bad={bad} are the same commit.", "There is nothing to search.")
        listed = git(self.root, "rev-list", "--reverse", "--topo-order", f"{self.good}..{self.bad}").split()
        self.positions = {sha: position for position, sha in enumerate(listed, 1)}

    def commit(self, sha: str) -> Commit:
        """What there is to know of a commit."""
        known, subject, author, time = git(self.root, "show", "-s", f"--format={_FORMAT}", sha).split("\0")
        return Commit(known, subject, author, time, self.positions.get(sha, 0))


class GitBisect:
    """A search through a history, in a linked working tree that goes when the block ends.

    Args:
        history: What is searched.
        folder: Where the working tree is made. What an earlier search left there is taken away.
    """

    def __init__(self, history: History, folder: Path) -> None:
        self.history, self.folder = history, folder.absolute()
        self._tree = history.checkout.working_tree(self.folder, history.bad)

    def __enter__(self) -> GitBisect:
        self.engine_path = self._tree.__enter__()
        """What stands for the folder that was given as the checkout."""
        return self

    def __exit__(self, *raised: Any) -> None:
        self._tree.__exit__(*raised)

    def check_out(self, sha: str) -> None:
        """Put a commit into the working tree, whatever a build has changed in it."""
        git(self.folder, "checkout", "--quiet", "--force", "--detach", sha)

    def start(self) -> None:
        """Begin, between the two ends."""
        self._bisect("start", self.history.bad, self.history.good)

    def mark(self, sha: str, outcome: Outcome) -> None:
        """Tell what a commit is; the next one is put into the working tree."""
        self.check_out(sha)  # undo what a build has changed
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
