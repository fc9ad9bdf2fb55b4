"""One answer out of the jobs of a sweep that are parts of one: the shards of an evaluation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from fvhydra.core.progress import Silent
from fvhydra.core.result import RunResult, SweepJob
from fvhydra.core.run import RunFolder
from fvhydra.launch.job import Job, failed, record, start

FOLDER = "merged"


def merge(folder: Path, jobs: Iterable[tuple[Job, RunResult]]) -> tuple[Job, RunResult] | None:
    """Merge the jobs whose op says so, on the machine of the person; None when there are not two of them.

    Args:
        folder: The sweep's folder; the answer goes into ``merged/`` there.
        jobs: All jobs of the sweep with their results.

    Returns:
        A job of its own, with the number after the last, and its recorded result.
    """
    parts = [(job, result) for job, result in jobs if job.op.merges]
    if len(parts) < 2:
        return None
    number = 1 + max(job.number for job, _ in parts)
    whole = replace(parts[0][0], number=number, title="all jobs together", folder=RunFolder(folder / FOLDER))
    listed = [
        SweepJob(job.number, job.title, result, str(job.folder.path.relative_to(folder))) for job, result in parts
    ]
    start(whole)
    try:
        result = whole.op.merge(whole.context(Silent()), listed)
    except Exception as error:
        return whole, failed(whole, error)
    result.title = whole.title
    return whole, record(whole.folder, result)
