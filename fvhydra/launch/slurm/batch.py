# SPDX-License-Identifier: Apache-2.0
"""What is submitted: one script for an array of jobs that need the same.

A job's number is its index in the array, so that Slurm writes its log into its folder, and a worker finds its job.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from fvhydra.config.launcher import SlurmLauncherConfig
from fvhydra.core import files
from fvhydra.core.errors import UsageError
from fvhydra.launch.base import worker_command
from fvhydra.launch.job import Job
from fvhydra.launch.outcome import job_log

THOUSAND = 1000
"""Indices of one array: Slurm's own limit (MaxArraySize) is 1001 unless a cluster raised it."""

_OURS = ("array", "output", "error", "open-mode", "job-name", "requeue", "no-requeue", "wrap", "parsable", "chdir")
"""Parameters that ``launcher.extra`` may not change: the jobs would not be found again."""


@dataclass(frozen=True)
class Batch:
    """An array of jobs that ask Slurm for the same resources.

    Attributes:
        name: Its name in Slurm, shared with no other.
        numbers: Those of its jobs, all of the same thousand.
        text: The script.
    """

    name: str
    numbers: list[int]
    text: str


def batches(jobs: Sequence[Job], name: str) -> list[Batch]:
    """Arrays for all of ``jobs``, their names beginning with ``name``.

    Raises:
        UsageError: ``launcher.extra`` changes what is not the person's to change.
    """
    groups: dict[str, tuple[dict[str, Any], list[Job]]] = {}
    for job in sorted(jobs, key=lambda job: job.number):
        needs = _needs(job)
        key = files.canonical_json([needs, job.number // THOUSAND])
        groups.setdefault(key, (needs, []))[1].append(job)
    return [_batch(needs, alike, f"{name}-{index}") for index, (needs, alike) in enumerate(groups.values())]


def _needs(job: Job) -> dict[str, Any]:
    """What a job asks of Slurm, as parameters of submitit; two jobs with the same go into one array."""
    config, slurm = job.config, job.config.launcher
    assert isinstance(slurm, SlurmLauncherConfig)
    extra = {key.replace("_", "-"): value for key, value in slurm.extra.items()}
    if taken := sorted(set(extra) & set(_OURS)):
        raise UsageError(
            f"launcher.extra={{{taken[0]}: ...}}: fvhydra sets this one itself.",
            "Keep it out; launcher.requeue and launcher.array_parallelism are keys of their own.",
        )
    needs = {
        "partition": slurm.partition,
        "account": slurm.account,
        "qos": slurm.qos,
        "constraint": slurm.constraint,
        "time": slurm.timeout_min,
        "nodes": 1,
        "ntasks_per_node": 1,
        "cpus_per_task": slurm.cpus_per_job or max(config.runtime.threads, 1),
        "mem": f"{round(slurm.memory_gb_per_job * 1024)}M" if slurm.memory_gb_per_job else None,
        "mail_user": slurm.mail_user,
        "mail_type": slurm.mail_type,
        "array_parallelism": slurm.array_parallelism,
        "setup": slurm.setup or None,
        "python": slurm.python or shlex.quote(sys.executable),
        "extra": {**_gpus(job, slurm), "requeue" if slurm.requeue else "no-requeue": True, **extra},
    }
    return {key: value for key, value in needs.items() if value is not None}


def _gpus(job: Job, slurm: SlurmLauncherConfig) -> dict[str, str]:
    if slurm.gres is not None:
        return {"gres": slurm.gres}
    if not job.gpus:
        return {}
    kind = job.config.gpu.slurm
    wanted = f"{kind}:{job.gpus}" if kind else str(job.gpus)
    return {"gres": f"gpu:{wanted}"} if slurm.gpus_by == "gres" else {"gpus": wanted}


def _batch(needs: dict[str, Any], jobs: Sequence[Job], name: str) -> Batch:
    from fvhydra.launch.slurm.script import sbatch_script

    needs = dict(needs)
    python, extra, parallelism = needs.pop("python"), needs.pop("extra"), needs.pop("array_parallelism")
    numbers = [job.number for job in jobs]
    thousand = numbers[0] // THOUSAND
    sweep = jobs[0].folder.path.resolve().parent
    index, first = ("%3a", str(thousand)) if thousand else ("%a", "")
    log = job_log(Path(f"{str(sweep).replace('%', '%%')}/{first}{index}"))
    extra |= {"array": f"{_ranges(numbers, thousand)}%{parallelism}", "output": str(log)}
    text = sbatch_script(_command(jobs[0], python, sweep, thousand), job_name=name, extra=extra, **needs)
    return Batch(name, numbers, text)


def _command(job: Job, python: str, sweep: Path, thousand: int) -> str:
    """The worker takes the place of the shell, so that Slurm's signals reach it and its exit code is Slurm's."""
    number = f"$((SLURM_ARRAY_TASK_ID + {thousand * THOUSAND}))" if thousand else "$SLURM_ARRAY_TASK_ID"
    words = worker_command(job, python, "folder")
    shell = " ".join('"$folder"' if word == "folder" else word for word in words)
    return f"folder={shlex.quote(str(sweep))}/{number}\nexec {shell}"


def _ranges(numbers: Sequence[int], thousand: int) -> str:
    """Indices within their thousand, as sbatch has them: ``0-2,7``."""
    return ",".join(
        str(first) if first == last else f"{first}-{last}"
        for first, last in _runs([number - thousand * THOUSAND for number in numbers])
    )


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    for _, group in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        run = [number for _, number in group]
        yield run[0], run[-1]
