# SPDX-License-Identifier: Apache-2.0
"""``op=parity``: what an engine computes against what another does, and where they first differ."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from pathlib import Path

from fvhydra.config.op import ParityConfig
from fvhydra.config.root import Config
from fvhydra.core.case import Case
from fvhydra.core.differences import of_environments
from fvhydra.core.errors import UsageError
from fvhydra.core.parity import ParityCase, ParityComparison
from fvhydra.core.result import CaseResult, Criterion, RunResult
from fvhydra.core.verdict import Verdict, worst
from fvhydra.engines.base import Engine, Trace, TraceRequest
from fvhydra.engines.choice import check_engine, engine_class, open_engine
from fvhydra.engines.interpreter import interpreter
from fvhydra.ops.base import Op
from fvhydra.ops.context import Context, Prepared
from fvhydra.ops.generation import engine_facts, load_request, record_cases
from fvhydra.ops.other_side import REF, apart, at_ref, commit_of, differences, other_side
from fvhydra.ops.parity_next import following
from fvhydra.ops.parity_outputs import keep_outputs
from fvhydra.ops.parity_shown import shown_by
from fvhydra.ops.port_evidence import Shown, refuse_unagreed
from fvhydra.parity.sides import compare_sides, deeper
from fvhydra.parity.stages import blocks_of, inside_of
from fvhydra.parity.trace_file import write_trace

OFFICIAL, CANDIDATE = "official", "candidate"
OPTION = "op.official"
NO_PARALLEL = {"DISABLE_SP": "1"}
"""Set for both sides: a sequence that is split across devices is rounded otherwise."""


class Parity(Op):
    """Trace the same cases at both sides. The command is the candidate; ``op.official`` says what is other there."""

    config: ParityConfig

    def preflight(self, context: Context) -> None:
        """Refuse sides that cannot run, or cannot trace."""
        if self.config.official is None:
            raise UsageError(
                "op=parity compares with an official side, and op.official= names none.",
                "For example op.official={engine.python: /opt/official/bin/python}.",
            )
        for pattern in filter(None, [self.config.modules]):
            try:
                re.compile(pattern)
            except re.error as error:
                raise UsageError(f"op.modules={pattern} is no regular expression: {error}.") from error
        here = context.config.launcher.same_environment
        if REF in self.config.official:
            commit_of(context.config, str(self.config.official[REF]), OPTION)
        for name, config in (CANDIDATE, context.config), (OFFICIAL, self._official(context.config)):
            check_engine(config, here=here)
            if not engine_class(config.engine).capabilities.traces:
                raise UsageError(
                    f"engine={config.engine.name}, the {name} side, cannot trace what it computes.",
                    "Choose one that can: engine=diffusers.",
                )
            self._tolerance(config)
        refuse_unagreed(context.config)

    def run(self, context: Context) -> RunResult:
        """Leave both traces, and what their comparison found."""
        with contextlib.ExitStack() as stack:
            given = self.config.official
            official = stack.enter_context(at_ref(self._official(context.config), given, OPTION))
            sides = {
                OFFICIAL: _Side(OFFICIAL, official, context, stack),
                CANDIDATE: _Side(CANDIDATE, context.config, context, stack),
            }
            record_cases(context, context.cases)
            found = [self._case(context, sides, position) for position in range(len(context.cases))]
            facts = {name: side.facts() for name, side in sides.items()}
        context.run.update_manifest(environment=facts[CANDIDATE])
        told = differences(context.config, self._official(context.config), given.get(REF))
        results = [_result(case, each) for case, each in zip(context.cases, found, strict=True)]
        return RunResult(
            op=self.config.name,
            model=context.config.model.name,
            verdict=worst(result.verdict for result in results),
            message=_headline(found),
            cases=results,
            notes=[_other(told), *_where(found)],
            next_commands=following(context, told, found),
            environment_difference=of_environments(facts[OFFICIAL], facts[CANDIDATE]),
            sides=(OFFICIAL, CANDIDATE),
            parity=ParityComparison(
                _said(official), _said(context.config), self._tolerance(context.config), cases=found
            ),
        )

    def shown_of_port(self, context: Context, result: RunResult) -> list[Shown]:
        """The outputs, as the gate ``parity``."""
        other = differences(context.config, self._official(context.config), self.config.official.get(REF))
        return shown_by(result, same=not other)

    def _official(self, config: Config) -> Config:
        return other_side(config, self.config.official, OPTION)

    def _tolerance(self, config: Config) -> float:
        if self.config.tolerance is not None:
            return float(self.config.tolerance)
        dtype = "float32" if config.tier.weights == "tiny" else config.model.dtype
        if dtype not in self.config.tolerances:
            raise UsageError(f"op.tolerances has none for {dtype}.", "Give one for all: op.tolerance=1e-3")
        return float(self.config.tolerances[dtype])

    def _case(self, context: Context, sides: dict[str, _Side], position: int) -> ParityCase:
        """Stages first; where they differ inside a component, its blocks at that step, then the modules of one."""
        case = context.cases[position]
        same_engine = sides[OFFICIAL].config.engine.name == sides[CANDIDATE].config.engine.name
        request = TraceRequest(modules=self.config.modules or "", weights=same_engine)
        tolerance = self._tolerance(context.config)

        def compared(request: TraceRequest, name: str) -> tuple[dict[str, Trace], ParityCase]:
            traces = {side.name: side.trace(position, request, name) for side in sides.values()}
            return traces, compare_sides(
                case.index, case.prompt, traces[OFFICIAL], traces[CANDIDATE], tolerance, self.config.names
            )

        traces, found = compared(request, "stages")
        made = {name: (side.cases[position], traces[name].media) for name, side in sides.items()}
        found = keep_outputs(context.run, made, found)
        if found.in_component and not self.config.modules:
            for name, modules in (("blocks", blocks_of), ("modules", inside_of)):
                first = found.first
                if first is None or first.tensor.startswith("weight "):
                    break
                context.progress.stage("trace", case.index, f"{name} of {first.module}")
                steps = () if first.step is None else (first.step,)
                _, inside = compared(replace(request, modules=modules(first.module), steps=steps), name)
                found = deeper(found, inside)
        return found


class _Side:
    """One of the two, loaded when it is first traced; an engine in another place stays there until the end."""

    def __init__(self, name: str, config: Config, context: Context, stack: contextlib.ExitStack) -> None:
        self.name, self._context = name, context
        # two pipelines in one process share what a library keeps for all of them
        apart_config = apart(config) if name == OFFICIAL else config
        if apart_config.engine.own_process:
            env = NO_PARALLEL | apart_config.engine.env
            apart_config = replace(apart_config, engine=replace(apart_config.engine, env=env))
        self.config = apart_config
        self.cases = Prepared(self.config).cases
        self._stack = stack
        self._engine: Engine | None = None

    def trace(self, position: int, request: TraceRequest, name: str) -> Trace:
        """Trace a case, and keep the rows in ``traces/``."""
        case, engine = self.cases[position], self._loaded()
        self._context.progress.stage("trace", case.index, f"{self.name}: {case.prompt}")
        trace = engine.trace(case, request, self._context.progress)
        if request.modules and not trace.matched:
            raise UsageError(f"{request.modules!r} is the name of no module at the {self.name} side.")
        write_trace(self._context.run.path / "traces" / f"{case.index}_{name}_{self.name}.jsonl", trace)
        return trace

    def facts(self) -> dict[str, str]:
        assert self._engine is not None  # a job has a case
        return {"engine.python": interpreter(self.config.engine)} | engine_facts(self._engine, self.config)

    def _loaded(self) -> Engine:
        if self._engine is None:
            log = self._context.run.path / "status" / f"engine_host_{self.name}.log"
            engine = self._stack.enter_context(contextlib.closing(open_engine(self.config.engine, log)))
            self._context.progress.stage("load", msg=f"{self.name}: {_said(self.config)}")
            engine.load(load_request(self.config, self.cases), self._context.progress)
            self._engine = engine
        return self._engine


def _result(case: Case, found: ParityCase) -> CaseResult:
    criteria = [
        Criterion(
            target.name,
            target.verdict is Verdict.PASS,
            target.message or f"differs by {target.relative:.3g} of its largest value, cosine {target.cosine:.3g}",
            "equal shapes" if target.allowed is None else f"<= {target.allowed:.3g}",
        )
        for target in found.targets
    ]
    return CaseResult(
        index=case.index,
        prompt=case.prompt,
        seed=case.seed,
        fingerprint=case.fingerprint,
        verdict=found.verdict,
        message=_sentence(found),
        kind=case.model.artifact,
        criteria=criteria,
    )


def _sentence(found: ParityCase) -> str:
    if found.first is None:
        return f"{found.equal} of {found.compared} tensors are equal to the bit; none differs by more than it may."
    first = found.first
    size = "" if first.relative is None else f" by {first.relative:.2g} of its largest value"
    return f"First differs in {first.stage}: {first.place} ({first.what}{size})."


def _headline(found: list[ParityCase]) -> str:
    diverged = [each for each in found if each.first is not None]
    if not diverged:
        return f"{len(found)} case(s): no tensor differs by more than it may."
    return f"{len(diverged)} of {len(found)} case(s) diverge. {_sentence(diverged[0])}"


def _where(found: list[ParityCase]) -> list[str]:
    """What to look at, once for each stage that diverges."""
    stages = {each.first.stage: each for each in found if each.first is not None}
    return [
        f"{stage}: look at {each.look_at}."
        + (f" {each.last_equal} still agrees." if each.last_equal else "")
        + (" It is inside a component: mend it there, not in the pipeline." if each.in_component else "")
        for stage, each in stages.items()
    ]


def _other(told: list[tuple[str, str, str]]) -> str:
    listed = "; ".join(f"{key}: {here} here, {there} at the official side" for key, here, there in told)
    return f"The sides differ in {listed}." if listed else "Both sides are the same."


def _said(config: Config) -> str:
    place = config.engine.path or config.engine.python
    return f"{config.engine.name}{f' of {Path(place).name}' if place else ''}, {config.backend.name}"
