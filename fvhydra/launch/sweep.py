# SPDX-License-Identifier: Apache-2.0
"""From what Hydra was told to sweep over to jobs, and all that is done with them whatever the launcher is.

Hydra knows one launcher, which composes every job and hands those that have no verdict yet to the one that
``launcher=`` chose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher as HydraLauncher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from fvhydra.config.problems import ConfigError
from fvhydra.config.root import Config
from fvhydra.config.secrets import words_without_user_info
from fvhydra.core import hub_cache
from fvhydra.core.errors import FvhydraError, UsageError
from fvhydra.core.memo import Memo
from fvhydra.core.progress import Silent
from fvhydra.core.result import RunResult
from fvhydra.core.run import RunFolder
from fvhydra.launch import attempts, resume
from fvhydra.launch.base import REUSED, Launcher, SweepObserver
from fvhydra.launch.choice import open_launcher
from fvhydra.launch.compose import Composer
from fvhydra.launch.job import Job, completed, failed, op_class
from fvhydra.launch.job_file import write_job
from fvhydra.launch.tokens import passed

_LISTED = 20


class SweepLauncher(HydraLauncher):
    """Makes the jobs of a sweep, and lets the chosen launcher run them."""

    config: DictConfig
    hydra_context: HydraContext
    observer: SweepObserver

    def __init__(self, **params: Any) -> None:
        self.params = params

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra. The task function is the observer, see :class:`SweepObserver`."""
        self.hydra_context = hydra_context
        self.config = config
        self.observer = task_function  # type: ignore[assignment]

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Called by Hydra: compose every job, refuse all when one is invalid, keep what is done, run the others.

        Raises:
            ConfigError: Lists the problems of every job; nothing ran.
            UsageError: The launcher cannot run them, or another command does; nothing ran.
        """
        sweep_folder = Path(self.config.hydra.sweep.dir)
        configs = self._configs(job_overrides, initial_job_idx)
        dry = configs[0].dry_run
        for config in configs:
            _refuse_alone(config)
        runtime = configs[0].runtime
        hub_cache.use(runtime.hf_home, runtime.hf_hub_cache)  # before libraries are loaded that workers are copies of
        launcher = open_launcher(configs[0].launcher, sweep_folder, self.observer)
        passed(launcher.settings)  # a name that is not set here is said before anything else
        self.observer.begin(sweep_folder, dry)
        jobs = self._jobs(sweep_folder, configs, job_overrides, initial_job_idx)
        launcher.running = set() if dry else launcher.attached(jobs)  # first: what ends now has its result after that
        over = [job for job in jobs if job.number not in launcher.running]
        kept = {job.number: result for job in over if (result := resume.settled(job.folder.path))}
        if not configs[0].resume:
            kept = {}
        todo = [job for job in jobs if job.number not in kept]
        if dry:
            self.observer.plan(jobs, kept, launcher.describe(todo) if todo else [])
            return []
        new = [job for job in todo if job.number not in launcher.running]
        refusals = _refusals(new)
        if len(new) == len(jobs):
            _refuse_all(new, refusals)
        if todo:
            launcher.check(todo)
        for job in jobs:
            if job.number in kept:
                self.observer.ended(job, completed(job, kept[job.number]), REUSED)
        _run(launcher, todo, refusals)
        return [_job_return(job, kept.get(job.number) or launcher.results[job.number]) for job in jobs]

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

    def _jobs(
        self, sweep_folder: Path, configs: Sequence[Config], job_overrides: Sequence[Sequence[str]], first: int
    ) -> list[Job]:
        """The jobs with their folders: that of the same job, if the sweep's folder has one, else a new number."""
        earlier = resume.by_fingerprint(sweep_folder)
        taken = set(attempts.numbers(sweep_folder))
        jobs = []
        shared = Memo()
        words = [words_without_user_info(overrides) for overrides in job_overrides]
        for preferred, (config, overrides, title) in enumerate(zip(configs, words, titles(words), strict=True), first):
            command, added = self.observer.command, self.observer.added
            job = Job(preferred, title, config, RunFolder(Path()), command, overrides, shared, added)
            same = earlier.get(job.fingerprint)
            number = same.pop(0) if same else preferred if preferred not in taken else max(taken) + 1
            taken.add(number)
            jobs.append(job.placed(number, sweep_folder / str(number)))
        return jobs


def _refusals(jobs: Sequence[Job]) -> dict[int, Exception | SystemExit]:
    """Why jobs cannot succeed, by number, known before anything is paid for or written."""
    found: dict[int, Exception | SystemExit] = {}
    for job in jobs:
        try:
            job.check(job.context(Silent()))
        except (Exception, SystemExit) as error:
            found[job.number] = error
    return found


def _refuse_all(jobs: Sequence[Job], refusals: Mapping[int, BaseException]) -> None:
    """End a command none of whose jobs can run, before anything is written.

    Raises:
        UsageError: The reasons of all.
    """
    errors = [error for error in refusals.values() if isinstance(error, FvhydraError) and error.exit_code == 2]
    if not jobs or len(errors) < len(jobs):
        return
    if len(jobs) == 1:
        raise UsageError(errors[0].message, errors[0].hint)
    listed = "".join(f"\n    job {job.number} ({job.title}): {refusals[job.number]}" for job in jobs[:_LISTED])
    more = f"\n    and {len(jobs) - _LISTED} more" if len(jobs) > _LISTED else ""
    raise UsageError(f"None of the {len(jobs)} jobs can run, so nothing was written:{listed}{more}")


def _run(launcher: Launcher, jobs: Sequence[Job], refusals: Mapping[int, BaseException]) -> None:
    """Let it run the jobs that are not refused; whatever happens, each has a result then."""
    try:
        ready = [job for job in jobs if job.number in launcher.running or _prepare(launcher, job, refusals)]
        if ready:
            launcher.run(ready)
    except KeyboardInterrupt:
        pass  # what was started has ended and said so
    except Exception as error:  # the summary names it, beside the jobs that had ended
        for job in jobs:
            if not launcher.has_ended(job):
                launcher.ended(job, failed(job, error))
    launcher.interrupted(jobs)


def _prepare(launcher: Launcher, job: Job, refusals: Mapping[int, BaseException]) -> bool:
    """Make the folder ready; whether the job can succeed. Where it cannot, that is its result."""
    attempts.wait_for(job.folder)
    attempts.set_aside(job.folder.path)
    write_job(job)
    if (error := refusals.get(job.number)) is not None:
        launcher.ended(job, failed(job, error))
    return error is None


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


def _job_return(job: Job, result: RunResult) -> JobReturn:
    returned = JobReturn(overrides=job.overrides, working_dir=str(job.folder.path))
    returned.status = JobStatus.COMPLETED
    returned.return_value = result.verdict.exit_code
    return returned
