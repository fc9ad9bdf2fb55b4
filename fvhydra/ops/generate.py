# SPDX-License-Identifier: Apache-2.0
"""``op=generate``: only generate, into a run folder."""

from __future__ import annotations

from fvhydra.core.filesystem import check_names
from fvhydra.core.port import EXAMPLE
from fvhydra.core.result import CaseResult, RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.engines.choice import check_engine, engine_class
from fvhydra.ops.base import Op
from fvhydra.ops.context import Context
from fvhydra.ops.generation import Generated, clip_facts, finish_cases, record_cases
from fvhydra.ops.port_evidence import STATUS_OF, Shown
from fvhydra.stores.layout import reference_path


class Generate(Op):
    """Generate every case; nothing is compared and no store is touched."""

    resumable = True

    def preflight(self, context: Context) -> None:
        """Resolve the prompts and images."""
        check_engine(context.config, here=context.config.launcher.same_environment)
        check_names(context.run.path / "artifacts", map(reference_path, context.cases))

    def run(self, context: Context) -> RunResult:
        """Leave one artifact for each case."""
        wanted = context.cases
        record_cases(context, wanted)

        def conclude(context: Context, made: Generated) -> CaseResult:
            return CaseResult(
                index=made.case.index,
                prompt=made.case.prompt,
                seed=made.case.seed,
                fingerprint=made.case.fingerprint,
                verdict=Verdict.DONE,
                kind=made.case.model.artifact,
                artifact=context.run.relative(made.artifact),
                clip=clip_facts(made),
                seconds=made.media.seconds,
            )

        paths = {case.index: reference_path(case) for case in wanted}
        results = sorted(finish_cases(context, wanted, paths, conclude), key=lambda result: result.index)
        return RunResult(
            op=self.config.name,
            model=context.config.model.name,
            verdict=Verdict.DONE,
            message=f"{len(results)} artifact(s) generated.",
            cases=results,
        )

    def shown_of_port(self, context: Context, result: RunResult) -> list[Shown]:
        """That the example runs; an engine that makes its output up shows nothing of a model."""
        procedural = engine_class(context.config.engine).capabilities.procedural
        if procedural or result.verdict not in STATUS_OF:
            return []
        return [Shown(EXAMPLE, STATUS_OF[result.verdict], result.message, {"artifacts": len(result.cases)})]
