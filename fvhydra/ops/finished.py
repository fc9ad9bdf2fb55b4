# SPDX-License-Identifier: Apache-2.0
"""Cases that are finished: kept as they end, and taken over by a later attempt at the same job.

A case counts as finished when its artifact is written and what was concluded of it (a comparison, a review) stands in
``cases.jsonl`` of the run folder. An attempt that runs in the same folder takes it over, numbers and files together,
when it is the same job and the same case, when the files still have their hashes, and when versions and commit are
those of now: a run's numbers are of one version.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fvhydra.core import files, untrusted
from fvhydra.core.case import Case
from fvhydra.core.environment import PLACE, environment
from fvhydra.core.errors import UsageError
from fvhydra.core.result import CaseResult
from fvhydra.core.run import RunFolder
from fvhydra.core.verdict import AGAIN
from fvhydra.ops.context import Context

NAME = "cases.jsonl"


@dataclass(frozen=True)
class FinishedCase:
    """A line of ``cases.jsonl``.

    Attributes:
        job: Fingerprint of the job.
        basis: What was concluded from, beside the case: digests of its reference.
        result: What was concluded.
        files: Every file of the case, relative to the run folder, with its SHA-256.
        artifact: Its entry in the manifest.
        environment: What it was made with.
    """

    job: str
    basis: str
    result: CaseResult
    files: dict[str, str]
    artifact: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)


def keep(context: Context, finished: FinishedCase) -> None:
    """Add a case that is finished, unless its verdict is on the machine rather than on the output."""
    if finished.result.verdict not in AGAIN:
        files.append_line(context.run.path / NAME, files.canonical_json(finished))


def finished_cases(folder: Path) -> Iterator[FinishedCase]:
    """The finished cases of a run folder. A line that is none, such as the last one of a process that was killed, ends
    the list.
    """
    if not (folder / NAME).is_file():
        return
    try:
        for number, line in untrusted.read_lines(folder / NAME):
            where = f"{folder / NAME} line {number}"
            yield untrusted.typed(FinishedCase, untrusted.parse_json(line, where), f"{where} is no finished case")
    except UsageError:
        return


def take_over(context: Context, cases: Sequence[Case], basis: Mapping[int, str]) -> dict[int, CaseResult]:
    """Put the cases that earlier attempts in this folder finished into the run, and return what they concluded.

    Args:
        cases: The cases that are wanted.
        basis: What each case is concluded from, by its index; see :class:`FinishedCase`.
    """
    if not context.config.resume:
        return {}
    wanted = {case.index: case for case in cases}
    here = environment()
    taken: dict[int, CaseResult] = {}
    for attempt, finished in earlier_cases(context.run):
        index = finished.result.index
        case = wanted.get(index)
        same = (
            case is not None
            and index not in taken
            and finished.result.fingerprint == case.fingerprint
            and (finished.job, finished.basis) == (context.fingerprint(), basis.get(index, ""))
            and all(finished.environment.get(key) == here[key] for key in here if key not in PLACE)
        )
        if same and take(context, attempt, finished):
            taken[index] = finished.result
    if taken:
        context.progress.stage("resume", msg=f"{len(taken)} of {len(cases)} case(s) are finished already")
    return taken


def earlier_cases(run: RunFolder) -> Iterator[tuple[Path, FinishedCase]]:
    """What earlier attempts in this folder finished, the newest attempt first, each with the attempt's folder."""
    attempts = run.path / "attempts"
    numbered = [path for path in attempts.iterdir() if path.name.isdecimal()] if attempts.is_dir() else []
    for attempt in sorted(numbered, key=lambda path: -int(path.name)):
        for finished in finished_cases(attempt):
            yield attempt, finished


def take(context: Context, attempt: Path, finished: FinishedCase) -> bool:
    """Put a case that an attempt finished into the run, if all of its files are there as they were."""
    if not _linked(attempt, context.run, finished.files):
        return False
    finished.result.kept = True
    context.run.record_artifact(finished.artifact)
    keep(context, finished)
    return True


def _linked(attempt: Path, run: RunFolder, listed: Mapping[str, str]) -> bool:
    """Whether every file of a case is in the attempt as it was; then they are in the run too."""
    try:
        found = {relative: untrusted.inside(attempt, relative) for relative in listed}
        for relative, path in found.items():
            files.regular_file(path)
            if files.sha256_file(path) != listed[relative]:
                return False
    except (UsageError, OSError):
        return False
    for relative, path in found.items():
        target = run.path / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, target)
        except FileExistsError:  # another case has it too: a reference
            continue
        except OSError:  # a file system without links
            files.copy(path, target)
    return True
