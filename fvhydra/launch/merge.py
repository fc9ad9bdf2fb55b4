# SPDX-License-Identifier: Apache-2.0
"""One answer out of the jobs of a sweep, for ops whose jobs are parts of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fvhydra.core.progress import Silent
from fvhydra.core.result import RunResult, SweepJob
from fvhydra.launch import attempts
from fvhydra.launch.job import Job, failed, record, start


def merge(sweep: Path, jobs: Sequence[tuple[Job, RunResult]]) -> list[tuple[Job, RunResult]]:
    """Let every op whose jobs are parts of one answer make it, in ``merged-<op>`` of the sweep's folder.

    Returns:
        For each such op the job that stands for the answer, and the answer, recorded and reported.
    """
    parts: dict[str, list[tuple[Job, RunResult]]] = {}
    for job, result in jobs:
        if job.op.is_shard:
            parts.setdefault(job.config.op.name, []).append((job, result))
    return [_merged(sweep, name, several) for name, several in parts.items()]


def _merged(sweep: Path, name: str, jobs: Sequence[tuple[Job, RunResult]]) -> tuple[Job, RunResult]:
    first, _ = jobs[0]
    whole = first.placed(first.number, sweep / f"merged-{name}")
    attempts.set_aside(whole.folder.path)
    start(whole)
    listed = [SweepJob(job.number, job.title, result, job.folder.path.name) for job, result in jobs]
    try:
        result = whole.op.merge(whole.context(Silent()), listed)
    except Exception as error:
        return whole, failed(whole, error)
    result.title = f"{len(jobs)} jobs merged"
    return whole, record(whole.folder, result)
