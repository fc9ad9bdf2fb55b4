# SPDX-License-Identifier: Apache-2.0
"""How long jobs take: what earlier runs of the same job took, else a guess from the amount of work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from statistics import median

from fvhydra.core import files, untrusted
from fvhydra.core.errors import UsageError
from fvhydra.launch.job import Job


def remember(job: Job) -> None:
    """Keep below ``runtime.cache_dir`` how long a job took that has ended. Nothing is lost when this cannot be kept."""
    try:
        began = datetime.fromisoformat(job.folder.manifest["created"])
        ended = datetime.fromisoformat(job.folder.status["updated"])
        files.write_json(_path(job), {"seconds": max((ended - began).total_seconds(), 1.0)})
    except (UsageError, KeyError, ValueError):
        return


def known_s(job: Job) -> float | None:
    """Seconds that the same job took last time, or None."""
    try:
        return float(untrusted.read_json(_path(job))["seconds"])
    except (UsageError, KeyError, TypeError, ValueError):
        return None


def expected_s(jobs: Sequence[Job]) -> dict[int, float]:
    """Seconds that each job may take, by number; where nothing is known at all, only their order means something."""
    known = {job.number: seconds for job in jobs if (seconds := known_s(job)) is not None}
    work = {job.number: _work(job) for job in jobs}
    rate = median(seconds / work[number] for number, seconds in known.items()) if known else 1.0
    return {job.number: known.get(job.number, work[job.number] * rate) for job in jobs}


def _work(job: Job) -> float:
    """Steps x frames x pixels x prompts; settings that the model's library decides count as one."""
    sampling = job.config.sampling
    size = (sampling.num_frames or 1) * (sampling.height or 1) * (sampling.width or 1)
    several = job.config.prompt is None and job.config.prompt_index is None
    prompts = len(job.config.prompts.entries) if several else 1
    return float((sampling.num_inference_steps or 1) * size * max(prompts, 1))


def _path(job: Job) -> Path:
    return files.given_path(job.config.runtime.cache_dir) / "durations" / f"{job.fingerprint}.json"
