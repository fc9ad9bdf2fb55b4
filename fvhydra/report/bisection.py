# SPDX-License-Identifier: Apache-2.0
"""The page of a search through the history of an engine: the answer, and every commit that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fvhydra.core.bisection import Attempt, Step
from fvhydra.core.errors import UsageError
from fvhydra.core.result import RunResult
from fvhydra.core.untrusted import inside
from fvhydra.report import page


@dataclass(frozen=True)
class Check:
    """A check of a commit; ``page`` and ``log`` are links, empty where there is no such file."""

    attempt: Attempt
    page: str
    log: str


@dataclass(frozen=True)
class CommitView:
    """What the template needs of a commit that was looked at."""

    step: Step
    is_first_bad: bool
    checks: list[Check]


def render_bisection(run_dir: Path, result: RunResult, manifest: dict[str, Any]) -> str:
    """The page of a search.

    Args:
        run_dir: The run folder, with the run folders of the checks; only looked at.
        result: With its ``bisection``.
        manifest: Its ``manifest.json``; every key is optional.
    """
    found = result.bisection
    assert found is not None
    first = found.first_bad.sha if found.first_bad else None
    views = [
        CommitView(step, step.commit.sha == first, [_check(run_dir, attempt) for attempt in step.attempts])
        for step in found.by_history
    ]
    return page.render("bisection.html", **page.masthead(result, manifest), found=found, views=views)


def _check(run_dir: Path, attempt: Attempt) -> Check:
    report = f"{attempt.folder}/report/index.html" if attempt.folder else ""
    return Check(attempt, _link(run_dir, report), _link(run_dir, attempt.log))


def _link(run_dir: Path, relative: str) -> str:
    """From the page to a file of the run folder; empty where it is not there."""
    try:
        there = bool(relative) and inside(run_dir, relative).is_file()
    except UsageError:  # what a record names may lead anywhere
        return ""
    return f"../{relative}" if there else ""
