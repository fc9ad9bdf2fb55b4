# SPDX-License-Identifier: Apache-2.0
"""What every launcher does alike, and what one has to do by itself: run jobs that are ready, and tell how they ended.

A job is a command. Before :meth:`SweepLauncher.run` is called, every job is composed and validated, its folder holds
``job.json``, and its op has said on the machine of the person that it can succeed. What is left to a launcher is to
start :func:`worker_command` somewhere, to follow its log, and to name what came of it::

    def run(self, jobs):
        for job in jobs:
            process = start(worker_command(job), worker_environment(self.settings))
            follower = Follower(job_log(job.folder.path), self.listen(job))
            ...                                  # follower.poll(), or follower.feed(text), until it has ended
            self.ended(job, outcome(job, ending(process.returncode)))

On Ctrl-C and SIGTERM ``run`` gets a ``KeyboardInterrupt``: it stops what it started, tells how that ended with
``outcome(..., interrupted=True)`` and lets the exception through. Jobs it never started are named by the base class.
"""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from fvhydra.config.launcher import LauncherConfig
from fvhydra.config.problems import ConfigError
from fvhydra.config.root import Config
from fvhydra.config.secrets import words_without_user_info
from fvhydra.core.errors import UsageError
from fvhydra.core.memo import Memo
from fvhydra.core.progress import Progress
from fvhydra.core.result import RunResult
from fvhydra.core.run import RunFolder
from fvhydra.core.verdict import AGAIN
from fvhydra.launch import attempts, resume
from fvhydra.launch.compose import Composer
from fvhydra.launch.durations import remember
from fvhydra.launch.job import Job, completed, failed, not_run, op_class, refused
from fvhydra.launch.job_file import write_job
from fvhydra.launch.tokens import passed

REUSED, NOT_STARTED = "reused", "not started"
"""How a job came by its result without running now."""


class SweepObserver(Protocol):
    """The person's side of a sweep: hears of every job. ``cli`` passes one to Hydra as its task function."""

    command: list[str]
    """What was typed, the program's name included."""

    def begin(self, folder: Path, dry_run: bool = False) -> None:
        """The configurations are valid; ``folder`` is the sweep's own.

        Raises:
            UsageError: Another command runs jobs there.
        """

    def listen(self, job: Job) -> Progress:
        """Who listens to the progress of a job, until it has ended. Several may run at once; one thread tells."""

    def ended(self, job: Job, result: RunResult, how: str = "") -> None:
        """A job has come to its end; ``how`` is :data:`REUSED` or :data:`NOT_STARTED` when it did not run now."""

    def plan(self, jobs: Sequence[Job], kept: dict[int, RunResult], described: list[str]) -> None:
        """Instead of all else, for ``dry_run=true``: all jobs, those that would not run, what would be submitted."""


class SweepLauncher(Launcher):
    """A Hydra launcher that runs fvhydra jobs."""

    config: DictConfig
    hydra_context: HydraContext
    observer: SweepObserver
    settings: LauncherConfig
    """The launcher's own configuration, validated: the class that its YAML file names."""
    sweep_folder: Path
    """Folder of the sweep; for what a launcher wants to find again, such as the ids of jobs that run elsewhere."""
    running: set[int]
    """What :meth:`attached` said of this sweep."""

    def __init__(self, **params: Any) -> None:
        self.params = params

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra. The task function is the observer, see :class:`SweepObserver`."""
        self.hydra_context = hydra_context
        self.config = config
        self.observer = task_function  # type: ignore[assignment]

    # ------------------------------------------------------------------ what a launcher does by itself
    def check(self, jobs: Sequence[Job]) -> None:
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

    # ------------------------------------------------------------------ what it tells
    def listen(self, job: Job) -> Progress:
        """The listener to a job that is being started, or that waits in a queue."""
        return self.observer.listen(job)

    def ended(self, job: Job, result: RunResult) -> None:
        """A job has ended; ``result`` is recorded in its folder already."""
        self._ended[job.number] = result
        if result.verdict not in AGAIN:
            remember(job)
        self.observer.ended(job, result)

    def has_ended(self, job: Job) -> bool:
        """Whether :meth:`ended` or :meth:`skipped` told of it."""
        return job.number in self._ended

    def skipped(self, job: Job, why: str) -> None:
        """A job will not be started although nobody interrupted the sweep."""
        self._ended[job.number] = not_run(job, why)
        self.observer.ended(job, self._ended[job.number], NOT_STARTED)

    # ------------------------------------------------------------------ what all do alike
    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Called by Hydra: compose every job, refuse all when one is invalid, keep what is done, run the others.

        Raises:
            ConfigError: Lists the problems of every job; nothing ran.
            UsageError: The launcher cannot run them, or another command does; nothing ran.
        """
        self.sweep_folder = Path(self.config.hydra.sweep.dir)
        configs = self._configs(job_overrides, initial_job_idx)
        self.settings = configs[0].launcher
        self._ended: dict[int, RunResult] = {}
        dry = configs[0].dry_run
        for config in configs:
            _refuse_alone(config)
        passed(self.settings)  # a name that is not set here is said before anything else
        self.observer.begin(self.sweep_folder, dry)
        jobs = self._jobs(configs, job_overrides, initial_job_idx)
        self.running = set() if dry else self.attached(jobs)  # first: one that ends now has its result after that
        over = [job for job in jobs if job.number not in self.running]
        kept = {job.number: result for job in over if (result := resume.settled(job.folder.path))}
        if not configs[0].resume:
            kept = {}
        todo = [job for job in jobs if job.number not in kept]
        if dry:
            self.observer.plan(jobs, kept, self.describe(todo) if todo else [])
            return []
        if todo:
            self.check(todo)
        for job in jobs:
            if job.number in kept:
                self.observer.ended(job, completed(job, kept[job.number]), REUSED)
        self._run(todo)
        return [_job_return(job, kept.get(job.number) or self._ended[job.number]) for job in jobs]

    def _run(self, jobs: Sequence[Job]) -> None:
        try:
            ready = [job for job in jobs if job.number in self.running or self._prepare(job)]
            if ready:
                self.run(ready)
        except KeyboardInterrupt:
            pass  # what was started has ended and said so
        except Exception as error:  # the summary names it, beside the jobs that had ended
            for job in jobs:
                if job.number not in self._ended:
                    self.ended(job, failed(job, error))
        for job in jobs:
            if job.number not in self._ended:
                # it may have ended while the interruption was on its way
                self.ended(job, resume.settled(job.folder.path) or not_run(job, "the sweep was interrupted"))

    def _prepare(self, job: Job) -> bool:
        """Make the folder ready, and ask the op whether the job can succeed; otherwise that is its result."""
        attempts.wait_for(job.folder)
        attempts.set_aside(job.folder.path)
        write_job(job)
        result = refused(job)
        if result is not None:
            self.ended(job, result)
        return result is None

    def _configs(self, job_overrides: Sequence[Sequence[str]], first: int) -> list[Config]:
        compose = Composer(self.hydra_context.config_loader, self.config)
        configs, problems = [], []
        for number, (overrides, title) in enumerate(zip(job_overrides, titles(job_overrides), strict=True), first):
            try:
                configs.append(compose(overrides, number))
            except ConfigError as error:
                prefix = f"job {number} ({title}): " if len(job_overrides) > 1 else ""
                problems += [f"{prefix}{problem}" for problem in error.problems]
        if problems:
            raise ConfigError(problems)
        return configs

    def _jobs(self, configs: Sequence[Config], job_overrides: Sequence[Sequence[str]], first: int) -> list[Job]:
        """The jobs with their folders: that of the same job, if the sweep's folder has one, else a new number."""
        earlier = resume.by_fingerprint(self.sweep_folder)
        taken = set(attempts.numbers(self.sweep_folder))
        jobs = []
        shared = Memo()
        words = [words_without_user_info(overrides) for overrides in job_overrides]
        for preferred, (config, overrides, title) in enumerate(zip(configs, words, titles(words), strict=True), first):
            job = Job(preferred, title, config, RunFolder(Path()), self.observer.command, overrides, shared)
            same = earlier.get(job.fingerprint)
            number = same.pop(0) if same else preferred if preferred not in taken else max(taken) + 1
            taken.add(number)
            jobs.append(job.placed(number, self.sweep_folder / str(number)))
        return jobs


def _refuse_alone(config: Config) -> None:
    if config.run is not None and not op_class(config).writes_run_folder:
        raise UsageError(
            f"op={config.op.name} works on the folder that run= names, so it runs by itself.",
            "Leave -m and launcher= away.",
        )


def titles(job_overrides: Sequence[Sequence[str]]) -> list[str]:
    """What tells each job from its neighbours: the overrides that they do not share."""
    if len(job_overrides) == 1:
        return ["(the only one)"]
    shared = set.intersection(*map(set, job_overrides))
    return [" ".join(word for word in words if word not in shared) or "(no overrides)" for words in job_overrides]


def worker_command(job: Job, python: str = sys.executable, folder: str | None = None) -> list[str]:
    """The command that runs a job, to be started where the driver was: relative paths begin there.

    Args:
        python: The interpreter there.
        folder: The job's folder there, when it is not the same path.
    """
    return [python, "-m", "fvhydra.worker", folder or str(job.folder.path.resolve()), "--no-preflight"]


def _job_return(job: Job, result: RunResult) -> JobReturn:
    returned = JobReturn(overrides=job.overrides, working_dir=str(job.folder.path))
    returned.status = JobStatus.COMPLETED
    returned.return_value = result.verdict.exit_code
    return returned
