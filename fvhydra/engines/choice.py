# SPDX-License-Identifier: Apache-2.0
"""The engine that ``engine=`` chose: its class, an instance, and whether it can do what a job asks of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fvhydra.core import extras
from fvhydra.core.environment import environment
from fvhydra.core.errors import UsageError
from fvhydra.core.loading import load_class
from fvhydra.core.machine import surely_without_gpu
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


def check_engine(config: Config, here: bool) -> None:
    """Refuse a job that its engine cannot do, by what the engine declares.

    Args:
        config: The job.
        here: Whether the engine will run in this environment. If not, nothing is said of what is installed.

    Raises:
        UsageError: The engine is none, cannot give what the model is compared as, cannot run what the tier loads, needs
            a GPU, or lacks its libraries; or latents cannot be kept.
    """
    engine = config.engine
    if here and config.model.artifact == "latent":
        extras.require(f"model={config.model.name}, whose references are latents,", latent.PACKAGES)
    if here and engine.own_process:
        description = describe(engine)
        _refuse_job(config, description.capabilities)
        _refuse_missing(engine, description.capabilities, description.missing, engine.python or "its interpreter")
        _refuse_absent_gpu(config, description.capabilities)
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
        _refuse_absent_gpu(config, can)


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


def _refuse_absent_gpu(config: Config, can: Capabilities) -> None:
    if config.gpu.count and not can.procedural and surely_without_gpu():
        raise UsageError(
            f"gpu={config.gpu.name} needs {config.gpu.count} GPU(s), and this machine has none.",
            "Run it on a machine with that GPU (launcher=slurm, launcher=modal), or with gpu=cpu tier=smoke.",
        )


def _refuse_missing(config: EngineConfig, can: Capabilities, missing: Iterable[str], interpreter: str) -> None:
    if listed := ", ".join(missing):
        raise UsageError(
            f"engine={config.name} needs {listed}, which {interpreter} does not have.",
            can.install and f"Install what it needs: {can.install}",
        )


def _listed(words: Sequence[str]) -> str:
    return " or ".join(words)
