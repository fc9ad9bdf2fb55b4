# SPDX-License-Identifier: Apache-2.0
"""The engine that ``engine=`` chose: its class, an instance, and whether it can do what a job asks of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fvhydra.core import extras
from fvhydra.core.environment import environment, package_version
from fvhydra.core.errors import UsageError
from fvhydra.core.gpus import installed_gpus, select, torch_uses_gpus, visible_gpus
from fvhydra.core.loading import load_class
from fvhydra.engines.base import Capabilities, Engine
from fvhydra.engines.hosted import HostedEngine, describe, overlaid
from fvhydra.media import latent

if TYPE_CHECKING:
    from fvhydra.config.engine import EngineConfig
    from fvhydra.config.model import ModelConfig
    from fvhydra.config.root import Config


def engine_class(config: EngineConfig) -> type[Engine]:
    """The class that ``engine._target_`` names; its module is imported now.

    Raises:
        UsageError: There is no such class, or it lacks methods of the contract.
    """
    found: type[Engine] = load_class(config._target_, "engine._target_", Engine)
    return found


def open_engine(config: EngineConfig, log: Path | None = None) -> Engine:
    """The engine, for one load and any number of cases.

    Args:
        log: Receives what it prints, when it runs in a process of its own; None: that is lost.
    """
    return HostedEngine(config, log) if config.own_process else engine_class(config)(config)


def engine_environment(config: EngineConfig) -> dict[str, str]:
    """The facts of where the engine will run, flat, as far as they are known before it is there."""
    return overlaid(describe(config).environment) if config.own_process else environment()


def warm_engine(config: EngineConfig, model: ModelConfig) -> None:
    """Import what loading ``model`` needs, unless another process will."""
    if not config.own_process:
        engine_class(config).warm(model)


def devices_of(config: Config) -> int:
    """GPUs that a job on the engine takes: those of ``gpu=``, as far as the engine can use them; 0 on the CPU.

    An engine whose class is not on this machine may use all of them.
    """
    try:
        most = engine_class(config.engine).capabilities.devices
    except UsageError:
        most = None
    return config.gpu.count if most is None else min(config.gpu.count, most)


def check_engine(config: Config, here: bool, machine: bool | None = None) -> None:
    """Refuse a job that its engine cannot do, by what the engine declares. No library of it is imported.

    Args:
        config: The job.
        here: Whether the engine will run in this environment. If not, nothing is said of what is installed.
        machine: Whether it will run on this machine, whose GPUs are looked at then; None: as the launcher says.

    Raises:
        UsageError: The engine is none, cannot give what the model is compared as, cannot run what the tier loads, needs
            GPUs that are not here, lacks its libraries or those of the attention backend; or latents cannot be kept.
    """
    engine = config.engine
    machine = here and config.launcher.same_machine if machine is None else machine
    if here and config.model.artifact == "latent":
        extras.require(f"model={config.model.name}, whose references are latents,", latent.PACKAGES)
    if here and engine.own_process:
        description = describe(engine, tuple(config.backend.packages))
        can, place = description.capabilities, engine.python or "its interpreter"
        _refuse_job(config, can)
        _refuse_missing(engine, can, description.missing, place)
        if machine:
            _refuse_absent_gpu(config, can)
        _refuse_missing_backend(config, can, description.absent, place)
        return
    try:
        can = engine_class(engine).capabilities
    except UsageError:
        if here:
            raise
        return  # it is installed only where the job runs, and is looked at there
    _refuse_job(config, can)
    if here:
        extras.require(f"engine={engine.name}", can.packages, can.install)
        if machine:
            _refuse_absent_gpu(config, can)
            _refuse_torch_for_cpus(config, can)
        _refuse_missing_backend(config, can, extras.missing(config.backend.packages), "this Python environment")


def _refuse_job(config: Config, can: Capabilities) -> None:
    engine, model, tier = config.engine.name, config.model, config.tier
    if model.artifact not in can.artifacts:
        raise UsageError(
            f"engine={engine} gives {_listed(can.artifacts)}, and model={model.name} is compared as {model.artifact}.",
            "Choose another engine= for this model.",
        )
    if model.modality not in can.modalities:
        raise UsageError(
            f"engine={engine} gives {_listed(can.modalities)}, and model={model.name} is of {model.modality}.",
            "Choose another engine= for this model.",
        )
    if tier.weights not in can.weights:
        kinds = {"tiny": "tiny random", "synthetic": "full-size random", "hub": "real"}
        raise UsageError(
            f"engine={engine} runs {_listed([kinds[kind] for kind in can.weights])} weights only, and "
            f"tier={tier.name} has {kinds[tier.weights]} ones.",
            "Use tier=default with the gpu= of this machine, or another engine=.",
        )
    if config.gpu.count == 0 and not can.cpu:
        raise UsageError(f"engine={engine} needs a GPU, but gpu={config.gpu.name}.", "Name one, as in gpu=l40s.")
    if can.backends and getattr(config.backend, can.backends) is None:
        raise UsageError(
            f"backend={config.backend.name} does not exist in engine={engine}.",
            "Choose backend=torch_sdpa, or the engine that has it.",
        )
    if can.backends and config.gpu.count == 0 and not config.backend.cpu:
        raise UsageError(
            f"backend={config.backend.name} needs a GPU, but gpu={config.gpu.name}.", "Choose backend=torch_sdpa."
        )


def _refuse_absent_gpu(config: Config, can: Capabilities) -> None:
    """Refuse a GPU that this machine does not have, by what its driver lists; where that is nothing, torch will say."""
    gpu = config.gpu
    wanted = gpu.count if can.devices is None else min(gpu.count, can.devices)
    if not wanted or can.procedural:
        return
    named = getattr(config.launcher, "devices", None)
    found = visible_gpus()
    if named is not None:
        found = None if (installed := installed_gpus()) is None else select(installed, named)
    if found is None:
        return
    if not found:
        hidden = installed_gpus() and "its GPUs are hidden by CUDA_VISIBLE_DEVICES"
        raise UsageError(
            f"gpu={gpu.name} needs {wanted} GPU(s), and {hidden or 'this machine has none'}.",
            "Run it on a machine with that GPU (launcher=slurm, launcher=modal), or with gpu=cpu tier=smoke.",
        )
    if len([device for device in found if re.search(gpu.pattern, device.name)]) < wanted:
        raise UsageError(
            f"gpu={gpu.name} needs {wanted} GPU(s) whose name matches '{gpu.pattern}', but here are: "
            f"{', '.join(device.name for device in found)}.",
            "References belong to one GPU type: choose the gpu= of this machine.",
        )


def _refuse_torch_for_cpus(config: Config, can: Capabilities) -> None:
    if config.gpu.count and "torch" in can.packages and not torch_uses_gpus():
        raise UsageError(
            f"gpu={config.gpu.name} needs a torch that is built for GPUs, and torch {package_version('torch')} of this "
            "environment is for the CPU alone.",
            "Install the torch of PyTorch's index for this machine's CUDA, or use gpu=cpu tier=smoke.",
        )


def _refuse_missing_backend(config: Config, can: Capabilities, absent: Sequence[str], place: str) -> None:
    if can.backends and absent:
        raise UsageError(
            f"backend={config.backend.name} needs {', '.join(absent)}, which {place} does not have.",
            "Install it there, or choose backend=torch_sdpa.",
        )


def _refuse_missing(config: EngineConfig, can: Capabilities, missing: Iterable[str], interpreter: str) -> None:
    if listed := ", ".join(missing):
        raise UsageError(
            f"engine={config.name} needs {listed}, which {interpreter} does not have.",
            can.install and f"Install what it needs: {can.install}",
        )


def _listed(words: Sequence[str]) -> str:
    return " or ".join(words)
