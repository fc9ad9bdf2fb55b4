# SPDX-License-Identifier: Apache-2.0
"""From the configuration to an app on Modal: its image, its functions, its Volumes and Secrets.

Volumes are mounted where the ecosystem's CI has them: weights at ``/root/data``, with ``HF_HOME`` in it.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fvhydra
from fvhydra.config.launcher import ModalLauncherConfig
from fvhydra.config.schema import conf_dir
from fvhydra.core.environment import package_version
from fvhydra.core.errors import UsageError
from fvhydra.launch.job import Job
from fvhydra.launch.modal import container
from fvhydra.launch.tokens import passed

if TYPE_CHECKING:
    import modal

WEIGHTS = "/root/data"
CACHE = f"{WEIGHTS}/.cache/fvhydra"
_OUTPUTS = "/outputs"
_SOURCE, _FURTHER_SOURCES = "/fvhydra", "/root"  # the second is where the SDK puts packages
_COMMIT_S = 600
"""Time that a container has, beyond that of its job, to unpack it and to commit what it made, s."""

_BESIDE_ENGINES = ("av", "httpx2", "huggingface-hub", "hydra-core", "jinja2", "omegaconf", "pydantic", "rich")
"""What fvhydra needs beside an engine: all that is added to a registry image, whose own packages decide the output."""


def gpu_string(job: Job) -> str | None:
    """What ``gpu=`` asks Modal for: ``L40S:2``; None for the CPU.

    Raises:
        UsageError: Modal does not have it.
    """
    gpu = job.config.gpu
    if job.gpus == 0:
        return None
    if gpu.modal is None:
        raise UsageError(
            f"gpu={gpu.name} is not a GPU that Modal has (gpu.modal is null).",
            "Choose another, such as gpu=l40s, or another launcher.",
        )
    return gpu.modal if job.gpus == 1 else f"{gpu.modal}:{job.gpus}"


def mounts(settings: ModalLauncherConfig) -> dict[str, str]:
    """Volume's name to its path in the container. One Volume may serve both purposes; it is mounted once."""
    found = {settings.weights_volume: WEIGHTS}
    found.setdefault(settings.outputs_volume, _OUTPUTS)
    return found


def image_name(settings: ModalLauncherConfig) -> str:
    """The image in words, for people and for provenance."""
    if settings.image.tag is not None:
        return f"{settings.image.registry}:{settings.image.tag}"
    return f"debian_slim with Python {_python(settings)}"


def facts(settings: ModalLauncherConfig) -> dict[str, str]:
    """Provenance of every job: the image, and the environment that is baked into it."""
    baked = {f"launcher.env.{key}": value for key, value in _environment(settings).items()}
    return {"launcher.image": image_name(settings)} | baked


def function_options(settings: ModalLauncherConfig, gpu: str | None) -> dict[str, Any]:
    """The parameters of ``app.function`` that are plain values."""
    memory_gb = settings.memory_gb_per_job
    if memory_gb is None:  # Wan 1.3B holds 33 GiB of the host's while it loads
        memory_gb = 16.0 if gpu is None else 64.0
    return {
        "name": "job" if gpu is None else f"job-{gpu.replace(':', '-').lower()}",
        "gpu": gpu,
        "cpu": settings.cpus_per_job or None,
        "memory": int(memory_gb * 1024) or None,
        "timeout": int(settings.timeout_s + _COMMIT_S),
        "retries": settings.retries,
        "max_containers": settings.max_containers,
        "single_use_containers": True,
    }


def build_app(settings: ModalLauncherConfig, jobs: Sequence[Job]) -> tuple[modal.App, dict[str | None, Any]]:
    """An app, and its function for each GPU string of the jobs. Nothing is sent yet."""
    import modal

    app = modal.App(settings.app, include_source=False)
    shared: dict[str, Any] = {
        "image": _image(settings),
        "volumes": {path: volume(name) for name, path in mounts(settings).items()},
        "secrets": secrets(settings),
    }
    functions: dict[str | None, Any] = {
        gpu: app.function(**shared, **function_options(settings, gpu))(container.run_job)
        for gpu in sorted({gpu_string(job) for job in jobs}, key=str)
    }
    return app, functions


def volume(name: str) -> modal.Volume:
    """A Volume, made when it is first used."""
    import modal

    return modal.Volume.from_name(name, create_if_missing=True)


def secrets(settings: ModalLauncherConfig) -> list[modal.Secret]:
    """The named Secrets, and the tokens of this process that ``pass_env`` names. Nothing else of it gets there."""
    import modal

    tokens: dict[str, str | None] = {**passed(settings)}
    own = [modal.Secret.from_dict(tokens)] if tokens else []
    return named_secrets(settings) + own


def named_secrets(settings: ModalLauncherConfig) -> list[modal.Secret]:
    """The Modal Secrets that ``launcher.secrets`` names."""
    import modal

    return [modal.Secret.from_name(name) for name in settings.secrets]


def _image(settings: ModalLauncherConfig) -> modal.Image:
    """The image; fvhydra itself comes last, as files that are mounted, so that changing it rebuilds nothing."""
    import modal

    wanted = settings.image
    if wanted.tag is not None:
        base = modal.Image.from_registry(f"{wanted.registry}:{wanted.tag}", add_python=wanted.python)
    else:
        base = modal.Image.debian_slim(python_version=_python(settings))
    own = {"HF_HOME": f"{WEIGHTS}/.cache", "PYTHONPATH": f"{_SOURCE}:{_FURTHER_SOURCES}"}
    base = _install(base, settings).env(own | _environment(settings))
    if wanted.commands:
        base = base.run_commands(*wanted.commands)
    bytecode = ["**/__pycache__"]
    package = Path(fvhydra.__file__).parent
    base = base.add_local_dir(package, f"{_SOURCE}/fvhydra", ignore=bytecode)
    if not conf_dir().is_relative_to(package):
        base = base.add_local_dir(conf_dir(), f"{_SOURCE}/conf", ignore=bytecode)
    # the SDK would leave out everything that is not Python
    return base.add_local_python_source(*sources(settings), ignore=bytecode) if wanted.sources else base


def _install(base: modal.Image, settings: ModalLauncherConfig) -> modal.Image:
    """The image with the packages, for the interpreter that runs the jobs; that need not have a pip of its own."""
    wanted = packages(settings)
    if settings.python is None:
        return base.pip_install(*wanted)
    return base.run_commands(shlex.join(["python", "-m", "pip", "--python", settings.python, "install", *wanted]))


def sources(settings: ModalLauncherConfig) -> list[str]:
    """Python packages of this machine that are put there beside fvhydra.

    Raises:
        UsageError: One cannot be imported here.
    """
    for name in settings.image.sources:
        if util.find_spec(name.partition(".")[0]) is None:
            raise UsageError(
                f"launcher.image.sources=[{name}]: no Python package of that name is here.",
                "Install it, or put the folder that it is in on PYTHONPATH.",
            )
    return settings.image.sources


def packages(settings: ModalLauncherConfig) -> list[str]:
    """What pip installs into the image."""
    wanted = settings.image
    if wanted.packages is not None:
        return wanted.packages
    names = _requirements("", "audio", "diffusers")
    if wanted.tag is not None:
        return [names.get(name, name) for name in _BESIDE_ENGINES]
    # a container has what this machine has; a local version such as 2.13.0+cpu is not on the package index
    versions = {name: package_version(name) for name in names}
    return [f"{name}=={version.partition('+')[0]}" if (version := versions[name]) else names[name] for name in names]


def _requirements(*extras: str) -> dict[str, str]:
    """Name to requirement of fvhydra's own dependencies, and of those that some extras add; "" is no extra."""
    found = {}
    for line in metadata.requires("fvhydra") or []:
        requirement, _, condition = line.partition(";")
        extra = re.search(r"extra == ['\"]([\w-]+)", condition)
        if (extra[1] if extra else "") in extras:
            found[re.split(r"[^A-Za-z0-9._-]", requirement)[0]] = requirement.strip()
    return found


def _python(settings: ModalLauncherConfig) -> str:
    return settings.image.python or f"{sys.version_info.major}.{sys.version_info.minor}"


def _environment(settings: ModalLauncherConfig) -> dict[str, str]:
    return {key: value for key, value in settings.env.items() if value}
