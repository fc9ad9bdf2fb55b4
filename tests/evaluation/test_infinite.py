# SPDX-License-Identifier: Apache-2.0
"""A PSNR of equal clips is infinite: null with a reason, in no mean, and never hidden from a gate or a comparison."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from fvhydra.core.comparison import read_pairs, write_pairs
from fvhydra.core.progress import Silent
from fvhydra.core.result import GateResult, RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.evaluation import gate
from fvhydra.evaluation.compare import compare_evaluations, read_evaluation
from fvhydra.evaluation.evaluate import evaluate
from fvhydra.evaluation.scoring import Resources
from fvhydra.metrics.common.pixel import Psnr
from fvhydra.metrics.sample import Sample
from fvhydra.report.markdown import render_markdown
from fvhydra.report.write import write_report
from tests.evaluation import toys
from tests.evaluation.conftest import Make

EQUAL, LESS, LEAST = 100, 110, 150
"""Brightness: that of the reference, and two others."""


Evaluation = Callable[..., Path]


@pytest.fixture
def evaluation(make_clip: Make, tmp_path: Path) -> Evaluation:
    """Scores clips of the given brightness, as many as there are, against one and the same reference."""
    reference = make_clip("reference.mp4", EQUAL)

    def run(name: str, *levels: int) -> Path:
        samples = [
            Sample(f"{number}.mp4", {"video": make_clip(f"{name}/{number}.mp4", level), "reference": reference})
            for number, level in enumerate(levels)
        ]
        metric = Psnr(Psnr.spec.params(), toys.NoAssets())
        evaluate(samples, [metric], tmp_path / f"run {name}", Silent(), resources=Resources(1, 1))
        return tmp_path / f"run {name}"

    return run


def page(folder: Path, result: RunResult) -> str:
    return " ".join(write_report(folder, result, {}).read_text(encoding="utf-8").split())


def test_rows_summary_page_and_table_say_what_is_infinite(evaluation: Evaluation) -> None:
    folder = evaluation("a", EQUAL, LESS)
    rows = [json.loads(line) for line in (folder / "scores.jsonl").read_text().splitlines()]
    assert [(row["status"], row["value"] is None, row["code"]) for row in rows] == [
        ("ok", True, "infinite"),
        ("ok", False, ""),
    ]
    assert rows[0]["message"] == "the value is infinite, as of a clip that equals its reference"
    assert rows[0]["outputs"] == {"infinite_frames": 9}
    found = read_evaluation(folder).summaries["common.psnr"]
    assert found.value == rows[1]["value"] and (found.infinite, found.counts["ok"], found.reasons) == (1, 2, {})
    assert found.message == "1 of 2 values are infinite, and in no mean"
    result = RunResult("eval", Verdict.DONE, metrics=[found])
    assert "`2 ok, 1 of them infinite`" in render_markdown(result)
    html = page(folder, result)
    assert "2 ok, 1 of them infinite" in html and found.message in html
    assert "the value is infinite, as of a clip that equals its reference" in html


def test_nothing_but_infinite_values_has_no_mean(evaluation: Evaluation) -> None:
    found = read_evaluation(evaluation("a", EQUAL, EQUAL)).summaries["common.psnr"]
    assert (
        found.value is None
        and found.message == "no sample has a finite value; 2 of 2 values are infinite, and in no mean"
    )
    assert "| `common.psnr ↑` | `infinite` |" in render_markdown(RunResult("eval", Verdict.DONE, metrics=[found]))


def held(folder: Path, *limits: str) -> list[GateResult]:
    found = read_evaluation(folder)
    rows = list(found.rows["common.psnr"].values())
    return gate.evaluate({"common.psnr": list(limits)}, gate.of_scores(list(found.summaries.values()), rows))


def test_an_infinite_value_keeps_a_limit_below_and_breaks_one_above(evaluation: Evaluation) -> None:
    equal = held(evaluation("a", EQUAL, EQUAL), ">=40", "mean>=40", "min>=40", "p50>=40", "<=40", "max<=40")
    assert [item.verdict for item in equal] == [Verdict.PASS] * 4 + [Verdict.REGRESSION] * 2
    assert equal[0].message == "common.psnr value is infinite, allowed >= 40." and equal[0].value is None
    assert equal[4].worst[0] == "0.mp4: infinite"
    mixed = held(evaluation("b", EQUAL, LESS), ">=40", "mean>=40", "max>=40", "min>=20", "<=40", "p50>=20")
    assert [item.verdict for item in mixed] == [
        *(Verdict.REGRESSION, Verdict.REGRESSION, Verdict.PASS, Verdict.PASS, Verdict.REGRESSION, Verdict.PASS),
    ]


def test_a_clip_that_was_equal_and_is_not_any_more_is_a_loss(evaluation: Evaluation, tmp_path: Path) -> None:
    before = evaluation("before", EQUAL, EQUAL, LESS)
    after = evaluation("after", LESS, EQUAL, LESS)
    comparisons, pairs = compare_evaluations(read_evaluation(before), read_evaluation(after))
    [found] = comparisons
    assert (found.pairs, found.infinite, found.unpaired) == (3, 2, (0, 0))
    assert (found.wins, found.losses, found.ties, found.difference) == (0, 1, 2, 0.0)
    assert found.before == found.after
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    first, *others = read_pairs(tmp_path / "pairs.jsonl")
    assert (first.sample, first.before, first.difference) == ("0.mp4", None, -math.inf)
    assert [pair.difference for pair in others] == [0.0, 0.0]
    limits = {"common.psnr": [">=-0.1", "mean>=-0.1", "min>=-0.1", "max<=0.1"]}
    gates = gate.evaluate(limits, gate.of_comparison(comparisons, pairs))
    assert [item.verdict for item in gates] == [*[Verdict.REGRESSION] * 3, Verdict.PASS]
    assert gates[0].worst[0] == "0.mp4: -infinite" and gates[0].value is None
    result = RunResult("eval_compare", Verdict.REGRESSION, comparisons=comparisons, gates=gates)
    assert "`0/1/2 of 3 pairs (2 infinite), p = 1`" in render_markdown(result)
    html = page(tmp_path, result)
    assert 'worse: <span dir="auto">0.mp4' in html and "infinite → 2" in html


def test_two_evaluations_of_equal_clips_are_ties(evaluation: Evaluation) -> None:
    folders = evaluation("before", EQUAL), evaluation("after", EQUAL)
    [found], pairs = compare_evaluations(*map(read_evaluation, folders))
    assert (found.difference, found.before, found.ties, found.infinite) == (0.0, None, 1, 1)
    assert "`+0, infinite → infinite`" in render_markdown(RunResult("eval_compare", Verdict.DONE, comparisons=[found]))
    [item] = gate.evaluate({"common.psnr": ">=-0.1"}, gate.of_comparison([found], pairs))
    assert (item.verdict, item.value) == (Verdict.PASS, 0.0)


def test_nothing_but_losses_of_equality_is_compared_all_the_same(evaluation: Evaluation) -> None:
    [found], pairs = compare_evaluations(
        *map(read_evaluation, (evaluation("before", EQUAL), evaluation("after", LEAST)))
    )
    assert (found.is_compared, found.difference, found.losses) == (True, None, 1)
    assert "`no finite difference`" in render_markdown(RunResult("eval_compare", Verdict.DONE, comparisons=[found]))
    [item] = gate.evaluate({"common.psnr": ">=-0.1"}, gate.of_comparison([found], pairs))
    assert (item.verdict, item.value) == (Verdict.REGRESSION, None)
