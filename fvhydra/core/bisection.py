# SPDX-License-Identifier: Apache-2.0
"""What searching the history of an engine found out, as plain data: in ``result.json``, and in ``bisect.jsonl``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from fvhydra.core.verdict import Verdict

Outcome = Literal["good", "bad", "skipped"]


@dataclass
class Commit:
    """A commit of the engine. ``position`` counts from the good end, which is 0; ``time`` is ISO 8601."""

    sha: str
    subject: str
    author: str
    time: str
    position: int

    @property
    def short(self) -> str:
        """Twelve hex digits of it."""
        return self.sha[:12]


@dataclass
class Attempt:
    """A check of a commit that was run.

    Attributes:
        message: What it found, or why it found nothing.
        folder: Its run folder, relative to that of the search; None where it was refused before it had one.
        log: What it printed, relative to the same.
    """

    verdict: Verdict
    message: str
    folder: str | None
    log: str


@dataclass
class Step:
    """A commit that was looked at.

    Attributes:
        outcome: What git was told of it.
        attempts: All checks of it; the last one decides.
        kept: Whether an earlier attempt at the same search looked at it.
    """

    commit: Commit
    outcome: Outcome
    attempts: list[Attempt]
    kept: bool = False

    @property
    def message(self) -> str:
        """What the check that decided says."""
        return self.attempts[-1].message if self.attempts else ""


@dataclass
class Bisection:
    """A search for the first bad commit.

    Attributes:
        repository: The checkout whose history was searched.
        check: The op that told good from bad.
        good: The newest commit that was given as good.
        bad: The commit that was given as bad.
        commits: Number of commits after ``good``, up to ``bad``.
        first_bad: The answer; None where there is none.
        suspects: Where skipped commits leave the answer open: all that it may be.
        steps: What was looked at, in this order.
    """

    repository: str
    check: str
    good: str
    bad: str
    commits: int
    first_bad: Commit | None = None
    suspects: list[Commit] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    @property
    def skipped(self) -> list[Step]:
        """Commits that could not be checked."""
        return [step for step in self.steps if step.outcome == "skipped"]

    @property
    def by_history(self) -> list[Step]:
        """The steps from the good end to the bad one."""
        return sorted(self.steps, key=lambda step: step.commit.position)
