# SPDX-License-Identifier: Apache-2.0
"""``op=eval_compare``: what became better or worse between two evaluations."""

from __future__ import annotations

from fvhydra.config.op import EvalCompareConfig
from fvhydra.core import files
from fvhydra.core.comparison import write_pairs
from fvhydra.core.differences import of_environments, telling
from fvhydra.core.errors import UsageError
from fvhydra.core.result import Difference, RunResult
from fvhydra.core.verdict import Verdict, worst
from fvhydra.evaluation import gate
from fvhydra.evaluation.compare import Evaluation, compare_evaluations, read_evaluation
from fvhydra.ops.base import Op
from fvhydra.ops.context import Context

_NAMED = 3
"""Differences in the message; the page and the table have all."""


class EvalCompare(Op):
    """Pair the samples of two evaluations, and hold the differences to limits where ``op.gate`` gives some."""

    config: EvalCompareConfig
    uses_model = False

    def preflight(self, context: Context) -> None:
        """Refuse folders that are no evaluations."""
        _evaluations(context)

    def run(self, context: Context) -> RunResult:
        """Leave ``comparison.json`` and ``pairs.jsonl``."""
        before, after = _evaluations(context)
        context.progress.stage("compare", msg=f"{before.folder} with {after.folder}")
        different = _made_differently(before, after)
        comparisons, pairs = compare_evaluations(before, after)
        found = {"environment_difference": different, "comparisons": comparisons}
        files.write_json(context.run.path / "comparison.json", found)
        write_pairs(context.run.path / "pairs.jsonl", pairs)
        gates = gate.evaluate(self.config.gate, gate.of_comparison(comparisons, pairs))
        compared = [comparison for comparison in comparisons if comparison.is_compared]
        verdict = Verdict.DONE if compared else Verdict.INCONCLUSIVE
        if gates:
            verdict = worst(item.verdict for item in gates)
        samples = len({pair.sample for pair in pairs})
        message = f"{len(compared)} of {len(comparisons)} metric(s) compared over {samples} sample(s)."
        broken = [item.message for item in gates if item.verdict is not Verdict.PASS]
        return RunResult(
            op=self.config.name,
            verdict=verdict,
            message=" ".join([*_caution(before, after, different), message, *broken]),
            environment_difference=different,
            comparisons=comparisons,
            gates=gates,
            details={"runs": [str(before.folder), str(after.folder)]},
        )


def _made_differently(before: Evaluation, after: Evaluation) -> list[Difference] | None:
    """What the two were made with, where that differs; None where one of them does not say."""
    if before.facts is None or after.facts is None:
        return None
    return of_environments(before.facts, after.facts)


def _caution(before: Evaluation, after: Evaluation, different: list[Difference] | None) -> list[str]:
    """What has to be known before any number: that the two were made with other things that may move values."""
    if different is None:
        silent = [str(side.folder) for side in (before, after) if side.facts is None]
        return [f"It is not recorded what {' and '.join(silent)} was made with, so differences may come of that."]
    named = [f"{item.key} {item.reference or 'none'} before, {item.run or 'none'} after" for item in telling(different)]
    others = f"; and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return [f"Made differently: {'; '.join(named[:_NAMED])}{others}."] if named else []


def _evaluations(context: Context) -> tuple[Evaluation, Evaluation]:
    runs = context.config.runs
    if len(runs) != 2:
        raise UsageError(
            f"op=eval_compare needs two evaluations, and runs= has {len(runs)}.",
            "Give the folders that op=eval left behind: runs=[<before>,<after>]",
        )
    before, after = (read_evaluation(files.given_path(run).resolve()) for run in runs)
    return before, after
