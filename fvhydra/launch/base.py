# SPDX-License-Identifier: Apache-2.0
"""What a launcher has to do: run jobs that are ready, and tell how they ended.

A job is a command. Before :meth:`Launcher.run` is called, every job is composed and validated, its folder holds
``job.json``, and its op has said on the machine of the person that it can succeed. What is left to a launcher is to
start :func:`worker_command` somewhere, to follow its log, and to name what came of it::

    def run(self, jobs):
        for job in jobs:
            process = start(worker_command(job), worker_environment(self.settings))
            follower = Follower(job_log(job.folder.path), self.listen(job))
            ...                                  # follower.poll(), or follower.feed(text), until it has ended
            self.ended(job, outcome(job, ending(process.returncode)))

On Ctrl-C and SIGTERM ``run`` gets a ``KeyboardInterrupt``: it stops what it started, tells how that ended with
``outcome(..., interrupted=True)`` and lets the exception through. Jobs it never started are named for it.
"""

from __future__ import annotations

import shlex
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Protocol

from fvhydra.config.launcher import LauncherConfig
from fvhydra.core.progress import Progress
from fvhydra.core.project import Added
from fvhydra.core.result import RunResult
from fvhydra.core.verdict import AGAIN
from fvhydra.launch import resume
from fvhydra.launch.durations import remember
from fvhydra.launch.job import Job, not_run

REUSED, NOT_STARTED = "reused", "not started"
"""How a job came by its result without running now."""


class SweepObserver(Protocol):
    """The person's side of a sweep: hears of every job. ``cli`` passes one to Hydra as its task function."""

    command: list[str]
    """What was typed, the program's name included."""
    added: Added
    """What the project and the environment added to that."""

    def begin(self, folder: Path, dry_run: bool = False) -> None:
        """Called when all configurations are valid; ``folder`` is that of the sweep.

        Raises:
            UsageError: Another command runs jobs there.
        """

    def listen(self, job: Job) -> Progress:
        """Who listens to the progress of a job, until it has ended. Several may run at once; one thread tells."""

    def ended(self, job: Job, result: RunResult, how: str = "") -> None:
        """A job has come to its end; ``how`` is :data:`REUSED` or :data:`NOT_STARTED` when it did not run now."""

    def plan(self, jobs: Sequence[Job], kept: dict[int, RunResult], described: list[str]) -> None:
        """Instead of all else, for ``dry_run=true``: all jobs, those that would not run, what would be submitted."""


class Launcher(ABC):
    """Runs the jobs of one command.

    Args:
        settings: The launcher's own configuration, validated: the dataclass that its YAML file names.
        sweep_folder: Folder of the sweep; for what a launcher wants to find again, such as the ids of jobs that run
            elsewhere.
        observer: Hears of every job.
    """

    attaches: ClassVar[bool] = False
    """Whether its jobs can go on when the command has ended, and :meth:`attach` comes back to them."""

    packages: ClassVar[tuple[str, ...]] = ()
    """Top-level modules that it imports where it is used, beyond what fvhydra itself needs."""

    windows: ClassVar[bool] = False
    """Whether it also works from Windows, which cannot end all that a job started and has other paths."""

    def __init__(self, settings: LauncherConfig, sweep_folder: Path, observer: SweepObserver) -> None:
        self.settings, self.sweep_folder, self.observer = settings, sweep_folder, observer
        self.running: set[int] = set()
        """What :meth:`attached` said of this sweep."""
        self.results: dict[int, RunResult] = {}
        """Of the jobs that have ended, by number."""

    # ------------------------------------------------------------------ what a launcher does
    def check(self, jobs: Sequence[Job]) -> None:  # noqa: B027  nothing to check is a fine default
        """Refuse what this launcher cannot run at all, before anything is paid for.

        Raises:
            UsageError, InfrastructureError: Nothing ran.
        """

    def describe(self, jobs: Sequence[Job]) -> list[str]:
        """What would be submitted, as lines of text, for ``dry_run=true``. Submits nothing."""
        return []

    def attached(self, jobs: Sequence[Job]) -> set[int]:
        """Numbers of the jobs that an earlier command left running where this launcher starts them.

        Their folders are not touched, and :meth:`run` is given them too; it finds their numbers in ``running``.
        """
        return set()

    @abstractmethod
    def run(self, jobs: Sequence[Job]) -> None:
        """Run the jobs and tell of each with :meth:`listen` and :meth:`ended`. They are ready to run.

        Raises:
            KeyboardInterrupt: After everything that was started has been stopped.
            FvhydraError: It cannot go on; it becomes the result of every job that has not ended.
        """

    def attach(self, jobs: Sequence[Job]) -> None:
        """Follow jobs of an earlier command to their ends, for ``op=attach``, and tell of each as :meth:`run` does.

        They have no verdict yet. No job is started; one that was never given away is :meth:`skipped`.

        Raises:
            KeyboardInterrupt: Jobs that may go on without a command do so; the others have been stopped.
            FvhydraError: It cannot go on; it becomes the result of every job that has not ended.
        """
        raise NotImplementedError

    # ------------------------------------------------------------------ what it tells
    def listen(self, job: Job) -> Progress:
        """The listener to a job that is being started, or that waits in a queue."""
        return self.observer.listen(job)

    def ended(self, job: Job, result: RunResult) -> None:
        """A job has ended; ``result`` is recorded in its folder already."""
        self.results[job.number] = result
        if result.verdict not in AGAIN:
            remember(job)
        self.observer.ended(job, result)

    def has_ended(self, job: Job) -> bool:
        """Whether :meth:`ended` or :meth:`skipped` told of it."""
        return job.number in self.results

    def skipped(self, job: Job, why: str) -> None:
        """A job will not be started although nobody interrupted the sweep."""
        self.results[job.number] = not_run(job, why)
        self.observer.ended(job, self.results[job.number], NOT_STARTED)

    def interrupted(self, jobs: Sequence[Job]) -> None:
        """Name those that have not ended, after an interruption; one may have while that was on its way."""
        for job in jobs:
            if not self.has_ended(job):
                self.ended(job, resume.settled(job.folder.path) or not_run(job, "the sweep was interrupted"))


def attach_command(sweep_folder: Path) -> str:
    """The command that comes back to the jobs of a sweep, for launchers that attach."""
    return shlex.join(["python", "-m", "fvhydra", "op=attach", f"run={sweep_folder}"])


def worker_command(job: Job, python: str = sys.executable, folder: str | None = None) -> list[str]:
    """The command that runs a job, to be started where the driver was: relative paths begin there.

    Args:
        python: The interpreter there.
        folder: The job's folder there, when it is not the same path.
    """
    return [python, "-m", "fvhydra.worker", folder or str(job.folder.path.resolve()), "--no-preflight"]
