"""A job as one argument of a function: its record, and the files of this machine that it reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fvhydra.config.launcher import ModalLauncherConfig
from fvhydra.config.prompts import PromptsConfig
from fvhydra.config.root import Config
from fvhydra.core import files
from fvhydra.core.environment import FACTS_VARIABLE, git_state
from fvhydra.core.errors import UsageError
from fvhydra.launch.job import Job
from fvhydra.launch.modal.resources import CACHE, facts, mounts
from fvhydra.ops.base import open_store
from fvhydra.ops.cases import cases, image_of
from fvhydra.ops.prompts import prompts
from fvhydra.stores.layout import reference_folder, search_folders

_STAYS_HERE = ("run", "runs", "videos", "references", "manifest")
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
    given = [key for key in _STAYS_HERE if getattr(job.config, key)]
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
    config = _self_contained(job.config)
    folder = job.folder.path.resolve()
    record = files.read_json(folder / "job.json") | {"config": files.plain(config)}
    record["types"] = record["types"] | {"prompts": f"{PromptsConfig.__module__}.{PromptsConfig.__qualname__}"}
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


def _self_contained(config: Config) -> Config:
    """The configuration with its prompts read, their pictures at absolute paths, and the cache on a Volume."""
    found = prompts(config)
    pictures = [image_of(config, prompt) for prompt in found]
    if config.prompt_index is not None:  # the other prompts only count; their pictures would travel for nothing
        pictures = [pictures[config.prompt_index]] * len(found)
    entries = [
        replace(prompt, image=None if picture is None else str(picture.absolute()))
        for prompt, picture in zip(found, pictures, strict=True)
    ]
    local: dict[str, Any] = {}
    if path := getattr(config.store, "path", None):  # another folder is home there
        local = {"path": str(Path(path).expanduser())}
    return replace(
        config,
        prompt=None,
        prompt_file=None,
        image=None,
        prompts=PromptsConfig(name=config.prompts.name, entries=entries),
        store=replace(config.store, **local),
        job=replace(config.job, cache_dir=CACHE),
    )


def _files(config: Config) -> Iterator[Path]:
    """Files of this machine that a self-contained job reads, absolute."""
    yield from (Path(prompt.image) for prompt in config.prompts.entries if prompt.image is not None)
    wanted = cases(config)
    prefixes = {prefix for case in wanted for prefix in search_folders(case)}
    drafts = {reference_folder(case, drafts=True) for case in wanted}
    yield from open_store(config.store).local_files(prefixes | drafts)
