# SPDX-License-Identifier: Apache-2.0
"""``op=bench op.against=``: two sides take turns on one machine, and what differs is told."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fvhydra.config.op import BenchConfig
from fvhydra.config.root import Config
from fvhydra.core.case import Case
from fvhydra.core.differences import of_environments
from fvhydra.core.performance import PerfRatio
from fvhydra.core.result import RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.engines.base import Engine
from fvhydra.engines.choice import check_engine, open_engine
from fvhydra.ops.cases import decoded
from fvhydra.ops.context import Context, Prepared
from fvhydra.ops.generation import flat, load_request, record_cases
from fvhydra.ops.other_side import REF, apart, at_ref, commit_of, differences, other_side
from fvhydra.performance.chosen import BenchmarkJob
from fvhydra.performance.interleave import Side, take_turns
from fvhydra.performance.measure import warnings
from fvhydra.performance.names import RUN_FOLDER
from fvhydra.performance.ratio import LEAST_PAIRS, ratios, summary
from fvhydra.performance.samples import write_samples

PAIRS, WARMUP = 10, 2
"""Runs of each side, and before them, where nobody says."""
THIS, AGAINST = "this", "against"


def first_case(config: Config) -> Case:
    """The case that is measured."""
    return decoded(Prepared(config).cases[0])


def check_sides(config: Config, against: Mapping[str, Any], here: bool) -> None:
    """Refuse another side that cannot run.

    Raises:
        UsageError: See :func:`fvhydra.ops.other_side.other_side` and :func:`fvhydra.engines.choice.check_engine`.
    """
    if REF in against:
        commit_of(config, str(against[REF]))
    check_engine(apart(other_side(config, against)), here=here)


def compare_sides(context: Context, job: BenchmarkJob, op: BenchConfig) -> RunResult:
    """Measure both in turn, and leave every run of each in ``performance/``."""
    this = apart(job.config)
    declared = job.benchmark.run_config
    pairs = op.runs or PAIRS
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(at_ref(apart(other_side(job.config, op.against)), op.against))
        sides = (_side(THIS, this, context), _side(AGAINST, other, context))
        record_cases(context, [sides[0].case])
        together = take_turns(sides, op.warmup or declared.num_warmup_runs or WARMUP, pairs, context.progress)
    for side in sides:
        path = context.run.path / RUN_FOLDER / f"samples_{side.name}.json"
        write_samples(path, side.runs, {"side": side.name, "both_loaded": together})
    told = differences(job.config, other_side(job.config, op.against), op.against.get(REF))
    facts = [side.environment | flat(side.facts) for side in sides]
    found = ratios(sides[0].runs, sides[1].runs)
    verdict, message = _conclusion(found)
    return RunResult(
        op=op.name,
        model=context.config.model.name,
        verdict=verdict,
        message=message,
        ratios=found,
        notes=[
            _other(told),
            *([] if together else ["The two do not fit into memory together: one was loaded whenever its turn came."]),
            *(f"{side.name}: {said}" for side in sides for said in warnings(side.runs)),
            *left_out(job),
        ],
        environment_difference=of_environments(facts[1], facts[0]),
        details={"both_loaded": together, "pairs": pairs},
    )


def _side(name: str, config: Config, context: Context) -> Side:
    case = first_case(config)
    log = context.run.path / "status" / f"stdout_{name}.log"

    def opened() -> Engine:
        return _loaded(config, case, log, context)

    return Side(name, case, opened)


def _loaded(config: Config, case: Case, log: Path, context: Context) -> Engine:
    engine = open_engine(config.engine, log)
    try:
        engine.load(load_request(config, [case]), context.progress)
    except BaseException:
        engine.close()
        raise
    return engine


def _conclusion(found: list[PerfRatio]) -> tuple[Verdict, str]:
    pairs = found[0].pairs if found else 0
    if pairs < LEAST_PAIRS:
        return Verdict.INCONCLUSIVE, f"{pairs} pair(s) of runs say nothing; op.runs={LEAST_PAIRS} or more do."
    claims = summary(found)
    said = [f"{_listed(those)} {claim}" for claim, those in claims.items() if those]
    message = f"{'; '.join(said)}." if said else "No difference can be told."
    return (Verdict.REGRESSION if claims["worse"] else Verdict.PASS), f"{message} {pairs} pairs of runs."


def _listed(those: list[PerfRatio]) -> str:
    return ", ".join(f"{each.title} {(each.ratio or 1) - 1:+.1%}" for each in those)


def _other(told: list[tuple[str, str, str]]) -> str:
    listed = "; ".join(f"{key}: {here} here, {there} against" for key, here, there in told)
    return f"The sides differ in {listed}." if listed else "Both sides are the same: what is told is what chance does."


def left_out(job: BenchmarkJob) -> list[str]:
    """Sentences on what is not measured: further prompts, and what the engine has no place for."""
    cases = len(Prepared(job.config).cases)
    others = [f"Of {cases} cases the first is measured; prompt_index= chooses another."] if cases > 1 else []
    listed = ", ".join(f"{key}={value}" for key, value in job.dropped.items())
    return [*others, *([f"Without effect with engine={job.config.engine.name}: {listed}."] if listed else [])]
