# SPDX-License-Identifier: Apache-2.0
"""A job as one argument of a function: its record, and the files of this machine that it reads."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fvhydra.config.launcher import ModalLauncherConfig
from fvhydra.core import files, untrusted
from fvhydra.core.environment import FACTS_VARIABLE, git_state
from fvhydra.core.errors import UsageError
from fvhydra.core.machine import CPUS_VARIABLE
from fvhydra.core.progress import Silent
from fvhydra.core.trust import trusted_variables
from fvhydra.launch.job import Job
from fvhydra.launch.job_file import vouch_for
from fvhydra.launch.modal.resources import CACHE, facts, mounts
from fvhydra.launch.tokens import withheld

_LARGEST = 2**30
"""Files of one job, bytes: they travel as one argument, of which the SDK holds several copies."""


def refuse_unsendable(job: Job) -> None:
    """Refuse a job that reads what a container cannot have.

    Raises:
        UsageError: Names the word of the command.
    """
    if not job.op.writes_run_folder:
        raise UsageError(
            f"op={job.config.op.name} has nothing to run on a GPU, so launcher=modal does not take it.",
            "Leave launcher=modal away.",
        )
    kept = job.op.unsendable(job.config)
    if kept:
        raise UsageError(
            f"{', '.join(kept)}: launcher=modal does not send what is read there.",
            "Leave it away, or use launcher=local, launcher=pool or launcher=slurm.",
        )
    size = 0
    with contextlib.suppress(UsageError):  # this job will be refused by its own checks, which stop no other
        size = job.op.job_inputs(job.context(Silent())).size
    if size > _LARGEST:
        raise UsageError(
            f"Job {job.number} reads files of {size / 2**30:.1f} GiB, and launcher=modal sends no more than "
            f"{_LARGEST / 2**30:g} GiB with a job.",
            "Split it, as -m op.shard='range(0,16)' does for op=eval, or use another launcher.",
        )


def remote_folder(job: Job, sweep: str) -> str:
    """Where on the Volume a job's results go: ``ssim_generated_videos/<tier>/<UTC>_<commit>/<sweep>/<number>``.

    The part before the sweep's name is where other tools of the ecosystem look for results.
    """
    commit = git_state().get("git_commit", "unknown")[:12]
    stamp = f"{datetime.now(UTC):%Y%m%d_%H%M%S}_{commit}"
    return f"ssim_generated_videos/{job.config.tier.name}/{stamp}/{sweep}/{job.number}"


def pack(job: Job, settings: ModalLauncherConfig, remote: str) -> dict[str, Any]:
    """The argument of :func:`fvhydra.launch.modal.container.run_job`: strings, numbers and bytes.

    Args:
        job: A job whose ``job.json`` is written.
        settings: The launcher's.
        remote: :func:`remote_folder` of the job.
    """
    packed = job.op.job_inputs(job.context(Silent()))
    config = replace(packed.config, runtime=replace(packed.config.runtime, cache_dir=CACHE))
    vouch_for(config)
    folder = job.folder.path.resolve()
    record = untrusted.read_json(folder / "job.json") | {"config": files.plain(config)}
    record["types"] = record["types"] | {
        "prompts": f"{type(config.prompts).__module__}.{type(config.prompts).__qualname__}"
    }
    sent = {path: path.read_bytes() if data is None else data for path, data in packed.files.items()}
    return {
        "folder": str(folder),
        "cwd": str(Path.cwd()),
        "files": {
            str(folder / "job.json"): json.dumps(record).encode(),
            **{str(path): data for path, data in sent.items()},
        },
        "back": [str(path) for path, data in packed.files.items() if data is not None],  # is nowhere here yet
        "outputs": f"{mounts(settings)[settings.outputs_volume]}/{remote}",
        "volumes": list(mounts(settings)),
        "python": settings.python,
        "timeout_s": settings.timeout_s,
        "variables": {
            **trusted_variables(),
            FACTS_VARIABLE: json.dumps(facts(settings) | git_state()),
            CPUS_VARIABLE: str(max(1, int(settings.cpus_per_job))),  # it sees those of its host
            **({} if settings.secrets else withheld(settings)),  # a Secret may hold one
        },
    }
