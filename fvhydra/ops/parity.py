# SPDX-License-Identifier: Apache-2.0
"""``op=parity``: what an engine computes against what another does, and where they first differ."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace

from fvhydra.config.op import ParityConfig
from fvhydra.config.root import Config
from fvhydra.core import files
from fvhydra.core.case import Case
from fvhydra.core.differences import of_environments
from fvhydra.core.errors import UsageError
from fvhydra.core.parity import ParityCase, ParityComparison, ParityComponent
from fvhydra.core.result import CaseResult, Criterion, RunResult
from fvhydra.core.verdict import Verdict, worst
from fvhydra.engines.base import Trace, TraceRequest
from fvhydra.engines.choice import check_engine, engine_class
from fvhydra.ops.base import Op
from fvhydra.ops.context import Context, Prepared
from fvhydra.ops.generation import record_cases
from fvhydra.ops.other_side import REF, at_ref, commit_of, differences, other_side
from fvhydra.ops.parity_components import (
    compare_components,
    component_criteria,
    digest_of,
    headline,
    passed_components,
    refuse_stale,
)
from fvhydra.ops.parity_next import following
from fvhydra.ops.parity_outputs import keep_outputs
from fvhydra.ops.parity_recorded import compare_recorded
from fvhydra.ops.parity_shown import shown_by
from fvhydra.ops.parity_side import CANDIDATE, OFFICIAL, Side, said
from fvhydra.ops.port_evidence import Shown, refuse_unagreed
from fvhydra.parity.components import NEXT_STEP, verdict_of
from fvhydra.parity.sides import compare_sides, deeper
from fvhydra.parity.stages import blocks_of, inside_of

OPTION = "op.official"


class Parity(Op):
    """Trace the same cases at both sides. The command is the candidate; ``op.official`` says what is other there."""

    config: ParityConfig

    def preflight(self, context: Context) -> None:
        """Refuse sides that cannot run, or cannot trace."""
        if self._recorded:
            self._refuse_half_recorded()
            return
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
            self._refuse_incapable(name, config)
            self._tolerance(config)
        refuse_unagreed(context.config)
        if self.config.components is not None:
            if self.config.scope != "pipeline":
                raise UsageError(f"op.scope={self.config.scope} compares components itself: leave op.components= away.")
            passed_components(self.config.components, context.config.model.name)

    def inputs(self, prepared: Prepared) -> dict[str, str]:
        """Beside prompts and pictures, the run that ``op.components`` names."""
        return super().inputs(prepared) | digest_of(self.config.components)

    def run(self, context: Context) -> RunResult:
        """Leave both traces, and what their comparison found."""
        if self._recorded:
            return self._run_recorded(context)
        with contextlib.ExitStack() as stack:
            given = self.config.official
            official = stack.enter_context(at_ref(self._official(context.config), given, OPTION))
            sides = {
                OFFICIAL: Side(OFFICIAL, official, context, stack),
                CANDIDATE: Side(CANDIDATE, context.config, context, stack),
            }
            record_cases(context, context.cases)
            components = self._components(context, sides)
            held = verdict_of(components) if self.config.scope != "pipeline" else Verdict.PASS
            cases = context.cases if self.config.scope != "components" and held is Verdict.PASS else []
            found = [self._case(context, sides, position) for position in range(len(cases))]
            facts = {name: side.facts() for name, side in sides.items()}
            made_with = {name: side.made_with() for name, side in sides.items()}
        context.run.update_manifest(environment=facts[CANDIDATE])
        told = differences(context.config, self._official(context.config), given.get(REF))
        tolerance = self._tolerance(context.config)
        results = [_result(case, each) for case, each in zip(cases, found, strict=True)]
        if components:
            first = results[0] if results else _of_components(context.cases[0], held, headline(components))
            results[:1] = [replace(first, criteria=[*component_criteria(components, tolerance), *first.criteria])]
        return RunResult(
            op=self.config.name,
            model=context.config.model.name,
            verdict=worst([held, *(result.verdict for result in results)]),
            message=" ".join(filter(None, [headline(components), _headline(found) if found else ""])),
            cases=results,
            notes=[_other(told), *([headline(components)] if held is not Verdict.PASS else []), *_where(found)],
            next_commands=following(context, told, found, self.config.names),
            environment_difference=of_environments(facts[OFFICIAL], facts[CANDIDATE]),
            sides=(OFFICIAL, CANDIDATE),
            parity=ParityComparison(
                said(official),
                said(context.config),
                tolerance,
                cases=found,
                components=components,
                rests_on=self.config.components or "",
                made_with=made_with,
                next_step="" if held is Verdict.PASS else NEXT_STEP,
            ),
        )

    @property
    def _recorded(self) -> bool:
        return self.config.trace is not None or self.config.official_trace is not None

    def _refuse_half_recorded(self) -> None:
        for option, given in ("op.trace", self.config.trace), ("op.official_trace", self.config.official_trace):
            if given is None:
                raise UsageError(
                    f"Two recorded traces are compared, and {option}= names none.",
                    f"Add {option}=<file of JSON lines>.",
                )
            files.regular_file(files.given_path(given), "trace")
        if self.config.official is not None:
            raise UsageError("op.official= generates, and op.trace= compares what was recorded.", "Leave one away.")

    def _run_recorded(self, context: Context) -> RunResult:
        assert self.config.trace is not None and self.config.official_trace is not None
        given = (self.config.official_trace, self.config.trace)
        found, tolerance = compare_recorded(
            *given, tolerance=self.config.tolerance, tolerances=self.config.tolerances, names=self.config.names
        )
        return RunResult(
            op=self.config.name,
            verdict=found.verdict,
            message=_headline([found]),
            notes=_where([found]),
            next_commands=following(context, [], [found], self.config.names),
            sides=(OFFICIAL, CANDIDATE),
            parity=ParityComparison(*given, tolerance, cases=[found]),
        )

    def shown_of_port(self, context: Context, result: RunResult) -> list[Shown]:
        """Components, each as its gate, and the outputs, as the gate ``parity``."""
        if self._recorded:  # nothing was generated, so nothing is shown
            return []
        other = differences(context.config, self._official(context.config), self.config.official.get(REF))
        return shown_by(result, same=not other)

    def _components(self, context: Context, sides: dict[str, Side]) -> list[ParityComponent]:
        """Those of this run; the pipeline alone may rest on those of an earlier one, which must be of these sides."""
        if self.config.components is not None:
            earlier = passed_components(self.config.components, context.config.model.name)
            refuse_stale(self.config.components, earlier, sides)
        if self.config.scope == "pipeline":
            return []
        return compare_components(context, sides, self._tolerance(context.config), self.config.names)

    def _refuse_incapable(self, name: str, config: Config) -> None:
        can = engine_class(config.engine).capabilities
        missing = [
            *(["trace what it computes"] if self.config.scope != "components" and not can.traces else []),
            *(["run components alone"] if self.config.scope != "pipeline" and not can.components else []),
        ]
        if missing:
            raise UsageError(
                f"engine={config.engine.name}, the {name} side, cannot {missing[0]}.",
                "Choose one that can: engine=diffusers.",
            )

    def _official(self, config: Config) -> Config:
        return other_side(config, self.config.official, OPTION)

    def _tolerance(self, config: Config) -> float:
        if self.config.tolerance is not None:
            return float(self.config.tolerance)
        dtype = "float32" if config.tier.weights == "tiny" else config.model.dtype
        if dtype not in self.config.tolerances:
            raise UsageError(f"op.tolerances has none for {dtype}.", "Give one for all: op.tolerance=1e-3")
        return float(self.config.tolerances[dtype])

    def _case(self, context: Context, sides: dict[str, Side], position: int) -> ParityCase:
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


def _of_components(case: Case, held: Verdict, message: str) -> CaseResult:
    """The case that components were recorded in, where the pipeline was not compared."""
    return CaseResult(case.index, case.prompt, case.seed, case.fingerprint, held, message, kind=case.model.artifact)


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
