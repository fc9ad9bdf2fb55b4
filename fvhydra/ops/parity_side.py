# SPDX-License-Identifier: Apache-2.0
"""One of the two sides of ``op=parity``, and the engine that it runs."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

from fvhydra.config.root import Config
from fvhydra.core.errors import UsageError
from fvhydra.engines.base import Engine, Trace, TraceRequest
from fvhydra.engines.choice import engine_class, open_engine
from fvhydra.engines.interpreter import interpreter
from fvhydra.ops.context import Context, Prepared
from fvhydra.ops.generation import engine_facts, flat, load_request
from fvhydra.ops.other_side import apart, settings
from fvhydra.parity.trace_file import write_trace

OFFICIAL, CANDIDATE = "official", "candidate"


class Side:
    """One of the two, loaded when it is first needed; an engine in another place stays there until the end.

    Args:
        name: :data:`OFFICIAL` or :data:`CANDIDATE`.
        config: Its job.
        context: Hears of it and has the run folder.
        stack: Ends the engine.
    """

    def __init__(self, name: str, config: Config, context: Context, stack: contextlib.ExitStack) -> None:
        self.name, self._context = name, context
        self.config = undivided(config)
        if name == OFFICIAL:  # two pipelines in one process share what a library keeps for all of them
            self.config = apart(self.config)
        self.cases = Prepared(self.config).cases
        self._stack = stack
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The engine with the model in it."""
        if self._engine is None:
            log = self._context.run.path / "status" / f"engine_host_{self.name}.log"
            engine = self._stack.enter_context(contextlib.closing(open_engine(self.config.engine, log)))
            self._context.progress.stage("load", msg=f"{self.name}: {said(self.config)}")
            engine.load(load_request(self.config, self.cases), self._context.progress)
            self._engine = engine
        return self._engine

    def trace(self, position: int, request: TraceRequest, name: str) -> Trace:
        """Trace a case, and keep the rows in ``traces/``."""
        case, engine = self.cases[position], self.engine
        self._context.progress.stage("trace", case.index, f"{self.name}: {case.prompt}")
        trace = engine.trace(case, request, self._context.progress)
        if request.modules and not trace.matched:
            raise UsageError(f"{request.modules!r} is the name of no module at the {self.name} side.")
        write_trace(self._context.run.path / "traces" / f"{case.index}_{name}_{self.name}.jsonl", trace)
        return trace

    def facts(self) -> dict[str, str]:
        """What its process runs with, see :func:`fvhydra.ops.generation.engine_facts`."""
        return {"engine.python": interpreter(self.config.engine)} | engine_facts(self.engine, self.config)

    def made_with(self) -> dict[str, str]:
        """What decides its output: its settings, and what the engine says of itself.

        A checkout is told by its commit where it has one: that of a ``ref`` lies elsewhere each time.
        """
        model = self.config.model
        weights = {"weights": model.weights, "revision": model.revision, "threads": self.config.runtime.threads}
        found = flat(settings(self.config) | weights | self.engine.facts())
        if "engine.git_commit" in found:
            found.pop("engine.path", None)
        return found


def undivided(config: Config) -> Config:
    """The same job with an engine that splits no sample across devices, where it can: that rounds otherwise.

    What ``engine.env`` gives has the last word.
    """
    env = dict(engine_class(config.engine).capabilities.undivided) | config.engine.env
    return replace(config, engine=replace(config.engine, env=env))


def said(config: Config) -> str:
    """A side in words."""
    place = config.engine.path or config.engine.python
    return f"{config.engine.name}{f' of {Path(place).name}' if place else ''}, {config.backend.name}"
