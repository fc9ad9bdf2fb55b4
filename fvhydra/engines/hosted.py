# SPDX-License-Identifier: Apache-2.0
"""An engine in a process of its own, with the contract of one that is in this process."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fvhydra.core.checks import Check
from fvhydra.core.environment import ENGINE_PACKAGES, GPU_FACTS, environment, git_state_of
from fvhydra.core.errors import EngineFailed, UsageError
from fvhydra.core.files import given_path
from fvhydra.core.machine import require_process_groups
from fvhydra.core.progress import Progress, Silent
from fvhydra.engines.base import Capabilities, Engine, GeneratedMedia, LoadRequest, Trace, TracedTensor, TraceRequest
from fvhydra.engines.components import ComponentOutput, ComponentRun, RecordedComponent, Recording
from fvhydra.engines.interpreter import interpreter
from fvhydra.engines.process import EngineProcess

if TYPE_CHECKING:
    from fvhydra.config.engine import EngineConfig
    from fvhydra.core.case import Case

_FACTS = ("python", *GPU_FACTS, *ENGINE_PACKAGES)
"""Facts of an environment that are the engine's where it has one of its own."""


@dataclass(frozen=True)
class Description:
    """What the class of an engine says of itself in the environment where it will run.

    Attributes:
        missing: Of the packages that it needs, those that are not there.
        absent: Of the other packages that were asked for, those that are not there.
        environment: Facts of that environment.
    """

    capabilities: Capabilities
    missing: tuple[str, ...]
    absent: tuple[str, ...]
    environment: Mapping[str, str]


def describe(config: EngineConfig, packages: tuple[str, ...] = ()) -> Description:
    """Ask the engine's class what it can do, where it will run. Loads none of the engine's libraries.

    The answer is kept for as long as this process lives.

    Args:
        packages: Top-level modules to look for there, beside those that the engine declares.

    Raises:
        UsageError: The interpreter, the path or the class is not there, or is none.
        EngineError: That process did not answer.
    """
    require_process_groups("An engine in a process of its own", "Let it run in this one, or use WSL.")
    place = tuple(_place(config._target_).items())
    return _described(_Key(config), interpreter(config), place, packages)


class _Key:
    """A configuration of an engine, equal to others that lead to the same class in the same environment."""

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self._parts = (config._target_, config.name, config.path, tuple(sorted(config.env.items())))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._parts == other._parts

    def __hash__(self) -> int:
        return hash(self._parts)


@functools.cache
def _described(key: _Key, python: str, place: tuple[tuple[str, str], ...], packages: tuple[str, ...]) -> Description:
    with tempfile.TemporaryDirectory() as folder:
        process = EngineProcess(key.config, Path(folder) / "stdout.log")
        try:
            target = key.config._target_
            said = process.call("describe", target=target, place=dict(place), packages=list(packages))
        except (UsageError, EngineFailed) as error:
            hint = error.hint if isinstance(error, UsageError) else ""  # the log goes with the folder
            raise UsageError(f"In {python}: {error.message}", hint) from error
        finally:
            process.stop()
    can, missing, absent = Capabilities(**_tuples(vars(said["capabilities"]))), said["missing"], said["absent"]
    return Description(can, tuple(missing), tuple(absent), said["environment"])


def _tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def _place(target: str) -> dict[str, str]:
    """The top-level package of an engine's class, and the folder where this process finds it; empty if it does not."""
    package = target.partition(".")[0]
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    found = [*(spec.submodule_search_locations or []), *([spec.origin] if spec.origin else [])] if spec else []
    return {"package": package, "folder": str(Path(found[0]).absolute().parent) if found else ""}


class HostedEngine(Engine):
    """Passes everything on to an engine in a process of its own.

    A process that has ended is started again, and the model loaded again, by the next call that needs it. So whoever
    gets an :class:`~fvhydra.core.errors.EngineError` may go on with the next case.

    Args:
        config: The engine, and where it runs.
        log: Receives what its process prints, tracebacks included; None: that is kept until :meth:`close`.
    """

    def __init__(self, config: EngineConfig, log: Path | None = None) -> None:
        super().__init__(config)
        self._scratch = contextlib.ExitStack()
        if log is None:
            folder = self._scratch.enter_context(tempfile.TemporaryDirectory(prefix="fvhydra-"))
            log = Path(folder) / "stdout.log"
        self._log = log
        self.limit_s = config.timeout_s
        """Longest time for a load or a generation, s; may be set before each. None: as long as it takes."""
        self.limit_key = "engine.timeout_s"
        """What a person raises where that is too little."""
        self._place = _place(config._target_)
        self._process: EngineProcess | None = None
        self._request: LoadRequest | None = None
        self._ready = False
        self._known: dict[str, Any] = {}
        self.capabilities = describe(config).capabilities

    def load(self, request: LoadRequest, progress: Progress) -> None:
        self._request, self._ready = self._with_tiny_weights(request), False
        self._loaded(progress)

    def generate(self, case: Case, progress: Progress) -> GeneratedMedia:
        media = self._loaded(progress).call("generate", progress, self.limit_s, self.limit_key, case=case)
        return GeneratedMedia(**vars(media))

    def trace(self, case: Case, request: TraceRequest, progress: Progress) -> Trace:
        found = self._loaded(progress).call("trace", progress, self.limit_s, self.limit_key, case=case, request=request)
        rows = [TracedTensor(**vars(row)) for row in found.rows]
        return Trace(GeneratedMedia(**vars(found.media)), rows, found.matched)

    def record_components(self, case: Case, folder: Path, progress: Progress) -> Recording:
        limits = (progress, self.limit_s, self.limit_key)
        found = self._loaded(progress).call("record_components", *limits, case=case, folder=folder.absolute())
        return Recording([RecordedComponent(**vars(each)) for each in found.components], found.failed)

    def run_component(
        self, case: Case, recorded: RecordedComponent, dtype: str | None, progress: Progress
    ) -> ComponentRun:
        limits = (progress, self.limit_s, self.limit_key)
        found = self._loaded(progress).call("run_component", *limits, case=case, recorded=recorded, dtype=dtype)
        return ComponentRun([ComponentOutput(**vars(each)) for each in found.outputs], found.missing, found.why)

    def inspect(self, case: Case) -> list[Check]:
        return [Check(**vars(found)) for found in self._loaded(Silent()).call("inspect", case=case)]

    def facts(self) -> dict[str, Any]:
        if self._process is not None and self._process.alive:
            self._known = dict(self._process.call("facts"))
        place = {"python": interpreter(self.config)}
        if self.config.path is not None:
            checkout = given_path(self.config.path).absolute()
            place |= {"path": str(checkout)} | git_state_of(checkout)
        return self._known | {f"engine.{key}": value for key, value in place.items()}

    def environment(self, gpu: bool = False) -> dict[str, str]:
        if self._process is not None and self._process.alive:
            return overlaid(self._process.call("environment", gpu=gpu))
        return overlaid(describe(self.config).environment)

    def devices(self) -> list[dict[str, Any]]:
        alive = self._process is not None and self._process.alive
        return list(self._process.call("devices")) if self._process is not None and alive else []

    def close(self) -> None:
        process, self._process = self._process, None
        with self._scratch:
            if process is not None:
                process.close()

    def _loaded(self, progress: Progress) -> EngineProcess:
        """The process with the model in it."""
        if self._process is None or not self._process.alive:
            if self._process is not None:
                self._process.stop()  # what it started may live on
            self._process, self._ready = EngineProcess(self.config, self._log), False
            self._process.call("open", config=self.config, place=self._place)
        if not self._ready:
            self._process.call("load", progress, self.limit_s, self.limit_key, request=self._request)
            self._ready = True
        return self._process

    def _with_tiny_weights(self, request: LoadRequest) -> LoadRequest:
        """Tiny weights are built here, by our own libraries, so that every environment loads the same."""
        if request.tier.weights != "tiny" or not self.capabilities.tiny_weights or request.tiny_weights is not None:
            return request
        from fvhydra.engines.tiny import snapshot

        if any(importlib.util.find_spec(name) is None for name in snapshot.LIBRARIES):
            return request
        folder = snapshot.of_model(request.model, request.cache_dir)
        return replace(request, tiny_weights=folder.absolute())


def overlaid(theirs: Mapping[str, str]) -> dict[str, str]:
    """The facts of this process, with those of the engine's where they decide the output."""
    ours = environment()
    absent = {package: "not installed" for package in ENGINE_PACKAGES if package in ours}
    return ours | absent | {key: theirs[key] for key in _FACTS if key in theirs}
