# SPDX-License-Identifier: Apache-2.0
"""``dry_run=true``: what every job would need and find, without running or writing anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from fvhydra.core.progress import Silent
from fvhydra.core.result import RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.launch.durations import known_s
from fvhydra.launch.job import Job, verdict_of


@dataclass(frozen=True)
class PlannedJob:
    """One job that was looked at.

    Attributes:
        result: What it would come to as far as that is known: its verdict so far, references found and missing.
        kept: Whether it came to this verdict already and would not run.
        seconds: What it took last time, or None.
    """

    job: Job
    result: RunResult
    kept: bool
    seconds: float | None

    @property
    def gpu_minutes(self) -> float | None:
        """GPUs x minutes that it took last time, or None; 0 on the CPU and when it would not run."""
        gpus = 0 if self.kept else self.job.gpus
        return gpus and self.seconds and gpus * self.seconds / 60


def plan(jobs: Sequence[Job], kept: dict[int, RunResult]) -> list[PlannedJob]:
    """Look at every job: its checks, its references. Stores are read; nothing is written to them or to a run folder.

    Args:
        kept: Results of those that would not run, by number.
    """
    return [
        PlannedJob(job, kept.get(job.number) or _look(job), job.number in kept, known_s(job))
        for job in sorted(jobs, key=lambda job: job.number)
    ]


def _look(job: Job) -> RunResult:
    op, model = job.config.op.name, job.model
    with TemporaryDirectory() as scratch:
        try:
            context = job.placed(job.number, Path(scratch)).context(Silent())
            job.check(context)
            return job.op.plan(context) or RunResult(op, Verdict.DONE, "Ready.", model)
        except (Exception, SystemExit) as error:
            verdict, message, notes = verdict_of(error)
            return RunResult(op, verdict, message, model, notes=notes)
