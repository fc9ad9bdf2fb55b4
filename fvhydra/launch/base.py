"""What every launcher does alike: compose and validate all jobs of a sweep before the first one runs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from fvhydra.config.load import build
from fvhydra.config.problems import ConfigError
from fvhydra.core.progress import Progress
from fvhydra.core.result import RunResult
from fvhydra.core.run import RunFolder
from fvhydra.launch.job import Job


class Audience(Protocol):
    """The person's side of a sweep: hears of every job. ``cli`` passes one to Hydra as its task function."""

    command: list[str]
    """What was typed, the program's name included."""

    def begin(self, folder: Path, jobs: Sequence[Job]) -> None:
        """The jobs are valid and will run; ``folder`` is the sweep's own."""

    def listen(self, job: Job) -> Progress:
        """Who listens to the progress of a job."""

    def ended(self, job: Job, result: RunResult) -> None:
        """A job has come to its end."""


class SweepLauncher(Launcher):
    """A Hydra launcher that runs fvhydra jobs."""

    config: DictConfig
    hydra_context: HydraContext
    audience: Audience

    def __init__(self, **params: Any) -> None:
        self.params = params

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra. The task function is the audience, see :class:`Audience`."""
        self.hydra_context = hydra_context
        self.config = config
        self.audience = task_function  # type: ignore[assignment]

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Compose every job, refuse all when one is invalid, then run them.

        Raises:
            ConfigError: Lists the problems of every job; nothing ran.
        """
        folder = Path(self.config.hydra.sweep.dir)
        shared = set.intersection(*map(set, job_overrides)) if len(job_overrides) > 1 else set()
        jobs, problems = [], []
        for number, overrides in enumerate(job_overrides, initial_job_idx):
            title = " ".join(word for word in overrides if word not in shared) or "(no overrides)"
            try:
                config = self._compose(overrides, number)
                run = RunFolder(folder / str(number))
                jobs.append(Job(number, title, config, run, self.audience.command, list(overrides)))
            except ConfigError as error:
                problems += [f"job {number} ({title}): {problem}" for problem in error.problems]
        if problems:
            raise ConfigError(problems)
        self.audience.begin(folder, jobs)
        return [
            _job_return(job, result, list(overrides))
            for job, result, overrides in zip(jobs, self.run(jobs), job_overrides, strict=True)
        ]

    @abstractmethod
    def run(self, jobs: Sequence[Job]) -> list[RunResult]:
        """Run the jobs; one result for each, in their order. Tells the audience of each as it ends."""

    def _compose(self, overrides: Sequence[str], number: int) -> Any:
        composed = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(composed):
            composed.hydra.job.num = number
            composed.hydra.job.id = str(number)
        return build(composed)


def _job_return(job: Job, result: RunResult, overrides: list[str]) -> JobReturn:
    returned = JobReturn(overrides=overrides, working_dir=str(job.folder.path))
    returned.status = JobStatus.COMPLETED
    returned.return_value = result.verdict.exit_code
    return returned
