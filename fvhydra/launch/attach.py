# SPDX-License-Identifier: Apache-2.0
"""Coming back to the jobs of a sweep from another command, whichever launchers they were given to."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from fvhydra.core.errors import UsageError
from fvhydra.launch import attempts, resume
from fvhydra.launch.base import REUSED, SweepObserver
from fvhydra.launch.choice import launcher_class, open_launcher
from fvhydra.launch.job import Job, completed
from fvhydra.launch.job_file import read_job


def attach(sweep: Path, observer: SweepObserver) -> None:
    """Follow the jobs of a sweep that have no verdict yet, and tell the observer of all, as the sweep would.

    Raises:
        UsageError: There is no sweep whose jobs could go on without their command, or another command is with it.
        InfrastructureError: Where they run cannot be reached.
    """
    jobs = [read_job(sweep / str(number)) for number in attempts.numbers(sweep)]
    _refuse_what_ended_with_its_command(sweep, jobs)
    observer.begin(sweep)
    going_on: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        if (result := resume.settled(job.folder.path)) is not None:
            observer.ended(job, completed(job, result), REUSED)
        else:
            going_on[job.config.launcher._target_].append(job)
    for several in going_on.values():
        _follow(sweep, several, observer)


def _follow(sweep: Path, jobs: Sequence[Job], observer: SweepObserver) -> None:
    launcher = open_launcher(jobs[0].config.launcher, sweep, observer)
    if not launcher.attaches:
        for job in jobs:
            launcher.skipped(job, f"launcher={launcher.settings.name} left it with the command that it was given by")
        return
    with contextlib.suppress(KeyboardInterrupt):  # what goes on and what was stopped has said so
        launcher.attach(jobs)
    launcher.interrupted(jobs)


def _refuse_what_ended_with_its_command(sweep: Path, jobs: Sequence[Job]) -> None:
    if not jobs:
        raise UsageError(
            f"run={sweep} is not the folder of a sweep (no job of one is in it).",
            "Give the folder below multirun/ that the earlier command printed.",
        )
    if not any(launcher_class(job.config.launcher).attaches for job in jobs):
        names = ", ".join(sorted({f"launcher={job.config.launcher.name}" for job in jobs}))
        raise UsageError(
            f"run={sweep} was run with {names}, whose jobs end with their command: there is nothing to come back to.",
            f"To run what has no verdict yet, give the same command with sweep={sweep}.",
        )
