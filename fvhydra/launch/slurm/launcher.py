# SPDX-License-Identifier: Apache-2.0
"""Running jobs on Slurm: submit, watch, tell, and come back to what an earlier command left there."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from fvhydra.config.launcher import SlurmLauncherConfig
from fvhydra.core.errors import InfrastructureError
from fvhydra.core.progress import Progress
from fvhydra.core.result import RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.launch.base import Launcher, attach_command
from fvhydra.launch.job import Job, not_run, record
from fvhydra.launch.outcome import Follower, job_log, outcome
from fvhydra.launch.slurm import commands, queue, submissions
from fvhydra.launch.slurm.batch import batches
from fvhydra.launch.slurm.queue import Standing
from fvhydra.launch.tokens import check_stores

_COMES_BACK_S = 20.0
"""How long a job that lost its node may read as ended before Slurm puts it back into the queue."""

_STOPPING_POLL_S = 1.0
_STOPPING_S = 60.0
"""How long to wait for cancelled jobs to end: longer than Slurm's KillWait, 30 s by default."""

_LIMITS = {"TIMEOUT": "timeout_min", "OUT_OF_MEMORY": "memory_gb_per_job"}
"""States that a setting of the launcher decides."""


@dataclass
class _Watched:
    """A job that was submitted, with its last state and its listener."""

    job: Job
    listener: Progress
    said: str = ""
    gone_since: float | None = None

    @cached_property
    def follower(self) -> Follower:
        """The follower of the job's log."""
        return Follower(job_log(self.job.folder.path), self.listener)

    def tell(self, id: str, place: str) -> None:
        """Tell the listener the job's place in the queue while it waits, and its own progress when it runs."""
        if place != self.said:
            self.said = place
            self.listener.stage("slurm", msg=f"{id} {place}")
        self.follower.poll()

    def over(self, standing: Standing) -> bool:
        """Whether the job has ended and will not be requeued."""
        settings = self.job.config.launcher
        assert isinstance(settings, SlurmLauncherConfig)
        if not standing.ended:
            self.gone_since = None
            return False
        if not (standing.may_come_back and settings.requeue):
            return True
        self.gone_since = self.gone_since or time.monotonic()
        return time.monotonic() - self.gone_since > _COMES_BACK_S


class SlurmLauncher(Launcher):
    """Every job is a task of an array. The disk that driver and nodes share carries everything but Slurm's states."""

    settings: SlurmLauncherConfig
    attaches = True
    packages = ("submitit",)

    def check(self, jobs: Sequence[Job]) -> None:
        """Refuse when there is no Slurm here, or when what is asked for cannot be said to it."""
        commands.required()
        check_stores(jobs, self.settings)
        batches(jobs, "fvhydra")

    def describe(self, jobs: Sequence[Job]) -> list[str]:
        """The scripts that sbatch would be given."""
        arrays = batches(jobs, f"fvhydra-{self.sweep_folder.name}")
        return [line for batch in arrays for line in (f"{batch.name}.sh:", *batch.text.splitlines())]

    def attached(self, jobs: Sequence[Job]) -> set[int]:
        """Jobs that an earlier command submitted and that are still queued or running."""
        ids = submissions.submitted(self.sweep_folder)
        mine = {ids[job.number]: job for job in jobs if job.number in ids}
        if not mine:
            return set()
        commands.required()
        standings = queue.look(mine)
        return {job.number for id, job in mine.items() if _is_there(job, standings[id])}

    def run(self, jobs: Sequence[Job]) -> None:
        """Submit those that Slurm does not have yet, and watch all until they have ended."""
        try:
            self._submit([job for job in jobs if job.number not in self.running])
            self._watch(jobs, submissions.submitted(self.sweep_folder))
        except KeyboardInterrupt:
            self._let_go(jobs)
            raise
        except Exception:  # none of this command goes on; what an earlier one left there has nothing to do with it
            submissions.cancel(self._ids(job for job in jobs if job.number not in self.running))
            self._leave([job for job in jobs if job.number in self.running])
            raise

    def attach(self, jobs: Sequence[Job]) -> None:
        """Watch those that were submitted, also those that have ended since without a result."""
        commands.required()
        ids = submissions.submitted(self.sweep_folder)
        for job in jobs:
            if job.number not in ids:
                self.skipped(job, "Slurm was never given it")
        try:
            self._watch([job for job in jobs if job.number in ids], ids)
        except KeyboardInterrupt:
            self._let_go(jobs)
            raise

    def _watch(self, jobs: Sequence[Job], ids: Mapping[int, str]) -> None:
        """Ask Slurm for the jobs' states until all have ended."""
        watched = {ids[job.number]: _Watched(job, self.listen(job)) for job in jobs}
        while watched:
            self._step(watched)
            time.sleep(self.settings.poll_s if watched else 0)

    def _let_go(self, jobs: Sequence[Job]) -> None:
        """Cancel the jobs after an interruption, or leave them running with ``launcher.detach=true``."""
        if self.settings.detach:
            self._leave(jobs)
        else:
            self._stop(jobs)

    def _name(self) -> str:
        """A name for this command's arrays that no other command uses."""
        return f"fvhydra-{self.sweep_folder.name}-{secrets.token_hex(3)}"

    def _submit(self, jobs: Sequence[Job]) -> None:
        for job in jobs:  # Slurm opens the logs, and makes no folders
            job_log(job.folder.path).parent.mkdir(parents=True, exist_ok=True)
        for batch in batches(jobs, self._name()):
            submissions.submit(self.sweep_folder, batch, self.settings)

    def _ids(self, jobs: Iterable[Job]) -> dict[str, Job]:
        """The jobs that have not ended, by their ids in Slurm."""
        ids = submissions.submitted(self.sweep_folder)
        return {ids[job.number]: job for job in jobs if job.number in ids and not self.has_ended(job)}

    def _step(self, watched: dict[str, _Watched]) -> None:
        """Ask Slurm once for all jobs, tell of those whose state changed, and remove those that ended."""
        try:
            standings = queue.look(watched)
        except InfrastructureError as error:  # it is being restarted
            for id, item in watched.items():
                item.tell(id, error.message)
            return
        for id, standing in standings.items():
            item = watched[id]
            item.tell(id, standing.place)
            if item.over(standing):
                del watched[id]
                self.ended(item.job, _result(item.job, standing))

    def _stop(self, jobs: Sequence[Job]) -> None:
        """Cancel the jobs that have not ended and wait until they have; a second Ctrl-C ends the waiting."""
        deadline = time.monotonic() + _STOPPING_S
        left = self._ids(jobs)
        with contextlib.suppress(KeyboardInterrupt):
            while left and time.monotonic() < deadline:
                submissions.cancel(left)
                time.sleep(_STOPPING_POLL_S)
                for id, standing in _look_if_it_answers(left).items():
                    if standing.ended:
                        self.ended(left[id], _result(left.pop(id), standing, stopped=True))
        for id, job in left.items():
            self.ended(job, _unknown(job, f"Interrupted; Slurm may still have it: scancel {id}"))

    def _leave(self, jobs: Sequence[Job]) -> None:
        """Leave the jobs running and say how to come back to them."""
        again = attach_command(self.sweep_folder)
        for id, job in self._ids(jobs).items():
            self.ended(job, _unknown(job, f"Left to Slurm as {id}; to come back to it: {again}."))


def _is_there(job: Job, standing: Standing) -> bool:
    """Whether a job is queued or running in Slurm, or is about to be requeued."""
    return not standing.ended or (standing.may_come_back and not (job.folder.path / "result.json").exists())


def _look_if_it_answers(ids: Collection[str]) -> dict[str, Standing]:
    with contextlib.suppress(InfrastructureError):
        return queue.look(ids)
    return {}


def _result(job: Job, standing: Standing, stopped: bool = False) -> RunResult:
    """What came of a job that has ended."""
    list(job.folder.path.iterdir())  # a network disk looks for new files when the folder is listed
    how = standing.how
    if key := _LIMITS.get(standing.state):
        how += f" at launcher.{key}={getattr(job.config.launcher, key)}"
    result = outcome(job, how, interrupted=stopped)
    if result.verdict is Verdict.INTERRUPTED and not stopped:  # it was asked to, and knew not why
        result = record(job.folder, replace(result, verdict=Verdict.INFRASTRUCTURE, message=f"The worker {how}."))
    return result


def _unknown(job: Job, message: str) -> RunResult:
    """The result of a job that may still run, so that nothing is written into its folder."""
    return replace(not_run(job, ""), message=message)
