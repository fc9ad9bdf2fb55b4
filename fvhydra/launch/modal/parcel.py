"""A job as one argument of a function: its record, and the files of this machine that it reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fvhydra.config.launcher import ModalLauncherConfig
from fvhydra.config.prompts import Prompt
from fvhydra.config.root import Config
from fvhydra.config.schema import conf_dir
from fvhydra.core import files
from fvhydra.core.environment import FACTS_VARIABLE, git_state
from fvhydra.core.errors import UsageError
from fvhydra.launch.job import Job
from fvhydra.launch.modal.resources import CACHE, facts, mounts
from fvhydra.ops.base import open_store
from fvhydra.ops.cases import cases
from fvhydra.stores.layout import reference_folder, search_folders

_STAYS_HERE = ("run", "videos", "references", "manifest")
"""Keys that name folders of this machine; they can be of any size, and are not sent."""


def refuse_unsendable(job: Job) -> None:
    """Refuse a job that reads what a container cannot have.

    Raises:
        UsageError: Names the key.
    """
    if not job.op.records:
        raise UsageError(
            f"op={job.config.op.name} has nothing to run on a GPU, so launcher=modal does not take it.",
            "Leave launcher=modal away.",
        )
    given = [key for key in _STAYS_HERE if getattr(job.config, key) is not None]
    if given:
        raise UsageError(
            f"{given[0]}= names files of this machine, and launcher=modal does not send them.",
            "Use launcher=local, launcher=pool or launcher=slurm.",
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
    config = _expanded(job.config)
    folder = job.folder.path.resolve()
    record = files.read_json(folder / "job.json") | {"config": files.plain(config)}
    sent = {path: path.read_bytes() for path in sorted(set(_files(config)))}
    return {
        "folder": str(folder),
        "cwd": str(Path.cwd()),
        "files": {
            str(folder / "job.json"): json.dumps(record).encode(),
            **{str(path): data for path, data in sent.items()},
        },
        "outputs": f"{mounts(settings)[settings.outputs_volume]}/{remote}",
        "volumes": list(mounts(settings)),
        "python": settings.python,
        "timeout_s": settings.timeout_s,
        "variables": {FACTS_VARIABLE: json.dumps(facts(settings) | git_state())},
    }


def _expanded(config: Config) -> Config:
    """The configuration without ``~``, which is another folder there, and with the cache on a Volume."""

    def whole(path: str | None) -> str | None:
        return None if path is None else str(Path(path).expanduser())

    entries = [Prompt(entry.text, whole(entry.image), entry.negative_prompt) for entry in config.prompts.entries]
    local: dict[str, Any] = {"path": whole(path)} if (path := getattr(config.store, "path", None)) else {}
    return replace(
        config,
        prompt_file=whole(config.prompt_file),
        image=whole(config.image),
        prompts=replace(config.prompts, entries=entries),
        store=replace(config.store, **local),
        job=replace(config.job, cache_dir=CACHE),
    )


def _files(config: Config) -> Iterator[Path]:
    """Files of this machine that the job reads, absolute. fvhydra's own pictures are in the image already."""
    if config.prompt_file is not None:
        yield Path(config.prompt_file).absolute()
    wanted = cases(config)
    for case in wanted:
        if case.image is not None and not case.image.is_relative_to(conf_dir()):
            yield case.image.absolute()
    prefixes = {prefix for case in wanted for prefix in search_folders(case)}
    drafts = {reference_folder(case, drafts=True) for case in wanted}
    yield from open_store(config.store).local_files(prefixes | drafts)
