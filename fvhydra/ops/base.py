"""The contract of an operation, and how it comes by its engine and store."""

from __future__ import annotations

from abc import ABC, abstractmethod

from fvhydra.config.engine import EngineConfig
from fvhydra.config.op import OpConfig
from fvhydra.config.store import StoreConfig
from fvhydra.core.context import Context
from fvhydra.core.loading import load_class
from fvhydra.core.result import RunResult
from fvhydra.engines.base import Engine
from fvhydra.stores.base import Store


class Op(ABC):
    """An operation. It neither prints, exits nor reads the environment.

    ``preflight`` runs on the machine of the person, before anything is paid for. ``run`` runs anywhere: in this
    process, in a Slurm job, in a container. What then still needs a person or a write token (applying the change that
    ``run`` prepared) is done from the run folder, on the machine of the person.
    """

    records = True
    """Whether a run folder is made for it. Otherwise ``context.run`` is the folder that ``run=`` names."""

    def __init__(self, config: OpConfig) -> None:
        self.config = config

    def preflight(self, context: Context) -> None:  # noqa: B027  nothing to check is a fine default
        """Refuse early what cannot succeed.

        Raises:
            UsageError, StoreError: Nothing was generated or written.
        """

    first_phrase = ""
    """What a person at a terminal must type before anything is generated. Nothing is written to a store either way."""

    @abstractmethod
    def run(self, context: Context) -> RunResult:
        """Do it. Writes below ``context.run.path`` only."""


def open_engine(config: EngineConfig) -> Engine:
    """The engine that ``engine=`` chose; its module is imported now."""
    engine: Engine = load_class(config._target_, "engine", Engine)(config)
    return engine


def open_store(config: StoreConfig) -> Store:
    """The store that ``store=`` chose; its module is imported now."""
    store: Store = load_class(config._target_, "store", Store)(config)
    return store
