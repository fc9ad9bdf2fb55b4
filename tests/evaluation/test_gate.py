# SPDX-License-Identifier: Apache-2.0
"""Limits on metrics: what passes, what does not, and what nobody can say."""

from __future__ import annotations

import math
from typing import Any

import pytest

from fvhydra.config.gates import Limit, limit, limits
from fvhydra.core.comparison import MetricComparison, Pair
from fvhydra.core.errors import UsageError
from fvhydra.core.result import GateResult
from fvhydra.core.scores import INFINITE, UNDEFINED, MetricSummary, ScoreRow
from fvhydra.core.verdict import Verdict
from fvhydra.evaluation.gate import Measured, evaluate, of_comparison, of_scores, refuse_unknown

VALUES = [0.90, 0.95, 0.99, 1.0]


def row(metric: str, sample: str, value: float | None) -> ScoreRow:
    return ScoreRow(sample, metric, 1, "p", sample, "ok" if value is not None else "skipped", value)


def summary(metric: str, value: float | None, kind: str = "sample", **facts: Any) -> MetricSummary:
    return MetricSummary(metric, 1, metric, kind, "higher", "1", value, **facts)


def held(gate: dict[str, Any]) -> list[GateResult]:
    rows = [row("common.ssim", f"clip {index}.mp4", value) for index, value in enumerate(VALUES)]
    rows += [row("common.ssim", "odd.mp4", None), row("common.fvd", "clip 0.mp4", None)]
    reasons = {"missing_input": 3}
    summaries = [
        summary("common.ssim", sum(VALUES) / 4, counts={"ok": 4, "skipped": 1}, reasons={"missing_input": 1}),
        summary("common.fvd", 12.5, kind="set", counts={"ok": 4}),
        summary("common.lpips", None, counts={"skipped": 3}, reasons=reasons),
    ]
    return evaluate(gate, of_scores(summaries, rows))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (">=0.93", Limit("", ">=", 0.93)),
        (" mean > 1e-3 ", Limit("mean", ">", 0.001)),
        ("min<=.5", Limit("min", "<=", 0.5)),
        ("P05 < -4.", Limit("p05", "<", -4.0)),
    ],
)
def test_the_grammar(text: str, read: Limit) -> None:
    assert limit(text) == read
    assert limit(str(read)) == read


@pytest.mark.parametrize("text", ["0.93", "=0.93", ">=", ">=x", "median>=1", "p100>1", ">=0.9 or so", ">=nan", ">=inf"])
def test_what_is_no_limit_is_said_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be limits such as '>=0\.93'"):
        limits({"common.ssim": text})


@pytest.mark.parametrize(
    ("text", "verdict", "value"),
    [
        (">=0.96", Verdict.PASS, 0.96),
        (">0.96", Verdict.REGRESSION, 0.96),
        ("mean<=0.96", Verdict.PASS, 0.96),
        ("min>=0.9", Verdict.PASS, 0.9),
        ("min>=0.91", Verdict.REGRESSION, 0.9),
        ("max<1", Verdict.REGRESSION, 1.0),
        ("p50>=0.97", Verdict.PASS, 0.97),
    ],
)
def test_each_statistic_is_held_to_its_limit(text: str, verdict: Verdict, value: float) -> None:
    [found] = held({"common.ssim": text})
    assert (found.verdict, found.value) == (verdict, pytest.approx(value))
    assert "1 sample(s) without a value" in found.message


@pytest.mark.parametrize("text", [">=0.5", "mean>=0.5", "min>=0.5", "max>=0.5", "p50>=0.5"])
def test_a_score_of_0_is_a_score(text: str) -> None:
    """And not one that was left out: it fails a gate, and lowers a mean."""
    rows = [row("m.x", "a", 0.0), row("m.x", "b", 0.9 if "max" not in text else 0.0)]
    mean = sum(item.value or 0.0 for item in rows) / 2
    [found] = evaluate({"m.x": text}, of_scores([summary("m.x", mean, counts={"ok": 2})], rows))
    assert found.verdict is Verdict.REGRESSION and "without a value" not in found.message
    assert found.value is not None and found.value < 0.5
    assert "a: 0" in found.worst


def test_a_value_of_0_over_all_samples_is_held() -> None:
    [high, low] = evaluate({"m.x": [">=0.5", "<=0.5"]}, of_scores([summary("m.x", 0.0, kind="set")], []))
    assert (high.verdict, high.value) == (Verdict.REGRESSION, 0.0)
    assert (low.verdict, low.value) == (Verdict.PASS, 0.0)


def test_several_limits_on_one_metric_are_each_held() -> None:
    assert [found.verdict for found in held({"common.ssim": [">=0.9", "min>=0.99"]})] == [
        Verdict.PASS,
        Verdict.REGRESSION,
    ]


def test_a_failure_names_the_samples_on_the_wrong_side() -> None:
    [low] = held({"common.ssim": "min>=0.99"})
    [high] = held({"common.ssim": "max<=0.5"})
    assert low.worst[0] == "clip 0.mp4: 0.9" and high.worst[0] == "clip 3.mp4: 1"
    assert held({"common.ssim": ">0"})[0].worst == []


@pytest.mark.parametrize(
    ("metric", "text", "says"),
    [
        ("common.sism", ">=0", "common.sism was not measured. Did you mean 'common.ssim'?"),
        ("common.lpips", "<=1", "3 sample(s) missing_input"),
        ("common.fvd", "min>=0", "one value for the whole set"),
    ],
)
def test_what_was_not_measured_never_passes(metric: str, text: str, says: str) -> None:
    [found] = held({metric: text})
    assert found.verdict is Verdict.INCONCLUSIVE and says in found.message


def test_a_set_metric_is_held_to_its_value() -> None:
    assert [found.verdict for found in held({"common.fvd": "<=12.5"})] == [Verdict.PASS]


def test_a_limit_on_what_is_not_going_to_be_measured_is_refused_before_anything_is() -> None:
    refuse_unknown({"common.ssim": ">=0.9"}, ["common.psnr", "common.ssim"])
    refuse_unknown({}, [])
    with pytest.raises(UsageError) as refused:
        refuse_unknown({"common.ssin": ">=0.9", "common.psnr": ">=1"}, ["common.ssim", "common.psnr"])
    assert refused.value.message == (
        "op.gate names common.ssin, which metrics= does not choose. Did you mean 'common.ssim'? "
        "Chosen: common.psnr, common.ssim."
    )
    assert refused.value.hint == "Choose it with metrics= or +metrics.use.<id>={}; `fvhydra op=metrics` lists all."
    with pytest.raises(UsageError, match=r"(?s)has 2 problems:.*names a,.*names b,"):
        refuse_unknown({"a": ">=1", "b": ">=1"}, ["common.ssim"])


def one(text: str, measured: Measured, metric: str = "m.x") -> GateResult:
    [found] = evaluate({metric: text}, {metric: measured})
    return found


def test_each_result_says_what_was_held_to_what() -> None:
    held_to = Measured(0.5, {"a": 0.25, "b": 0.75}, noun="difference")
    assert one(">=0.5", held_to) == GateResult(
        "m.x", ">= 0.5", Verdict.PASS, "m.x difference is 0.5, allowed >= 0.5.", 0.5, []
    )
    assert one("min>=0.3", Measured(0.5, {"a": 0.25, "b": 0.75}, 2)) == GateResult(
        "m.x",
        "min >= 0.3",
        Verdict.REGRESSION,
        "m.x min value is 0.25, allowed >= 0.3; 2 sample(s) without a value.",
        0.25,
        ["a: 0.25", "b: 0.75"],
    )


def test_why_nothing_can_be_held_to_a_limit_is_said() -> None:
    assert evaluate({"m.x": ">=1"}, {}) == [
        GateResult("m.x", ">= 1", Verdict.INCONCLUSIVE, "m.x was not measured. Measured: none.")
    ]
    [found] = evaluate({"z": ">=1"}, {"m.x": Measured(1.0), "m.y": Measured(2.0)})
    assert found.message == "z was not measured. Measured: m.x, m.y."
    for measured, text, why in (
        (Measured(None), ">=1", "no sample has a value"),
        (Measured(None), "min>=1", "no sample has a value"),
        (Measured(None, why="The set is too SMALL. X."), ">=1", "The set is too SMALL. X"),
        (Measured(0.0), "min>=1", "it has one value for the whole set, so there is no min over samples"),
        (Measured(0.0), "mean>=1", "it has one value for the whole set, so there is no mean over samples"),
    ):
        shown = text.replace(">=", " >= ").strip()
        assert one(text, measured) == GateResult(
            "m.x", shown, Verdict.INCONCLUSIVE, f"m.x cannot be held to {shown}: {why}."
        )


@pytest.mark.parametrize(
    ("text", "values", "verdict", "shown"),
    [
        (">=0.5", [math.inf, 0.5], Verdict.PASS, "0.5"),  # on the right side: in no mean, and breaks nothing
        ("<=0.5", [math.inf, 0.5], Verdict.REGRESSION, "infinite"),
        (">=0.5", [-math.inf, 0.5], Verdict.REGRESSION, "-infinite"),
        ("<=0.5", [-math.inf, 0.5], Verdict.PASS, "0.5"),
        (">=0.5", [math.inf], Verdict.PASS, "infinite"),
        ("mean>=0.5", [math.inf, 0.25, 0.5], Verdict.REGRESSION, "0.375"),
        ("max<=0.5", [math.inf, 0.5], Verdict.REGRESSION, "infinite"),
        ("min>=0.5", [math.inf, 0.5], Verdict.PASS, "0.5"),
        ("p50>=0.5", [0.0, 0.2, 0.6, math.inf], Verdict.PASS, "0.6"),  # nothing is interpolated
        ("p50>=0.5", [0.0, 0.2, 0.6, 1.0], Verdict.REGRESSION, "0.4"),
    ],
)
def test_infinite_values_are_in_no_mean_and_break_the_limit_that_they_are_beyond(
    text: str, values: list[float], verdict: Verdict, shown: str
) -> None:
    found = one(text, Measured(0.5, {f"s{index}": value for index, value in enumerate(values)}))
    assert found.verdict is verdict and f"value is {shown}, allowed" in found.message
    assert found.value is None if "infinite" in shown else found.value == pytest.approx(float(shown))


def test_five_samples_are_named_the_worst_first_and_among_equals_by_name() -> None:
    samples = {"c": 0.1, "b": 0.1, "a\x1b": 0.0, "d": 0.2, "e": 0.3, "f": 0.4, "g": math.inf}
    assert one("min>=0.5", Measured(0.1, samples)).worst == ["a\ufffd: 0", "b: 0.1", "c: 0.1", "d: 0.2", "e: 0.3"]
    assert one("max<=0.05", Measured(0.1, samples)).worst[:3] == ["g: infinite", "f: 0.4", "e: 0.3"]


def test_values_of_an_evaluation() -> None:
    rows = [row("m.x", "a", 0.0), row("m.x", "b", None), row("m.unknown", "a", 1.0)]
    rows.append(ScoreRow("c", "m.x", 1, "p", "c", "ok", None, INFINITE))
    counts = {"ok": 4, "skipped": 1, "failed": 2}
    found = of_scores(
        [
            summary("m.x", 0.5, counts=counts, reasons={UNDEFINED: 3, "missing_input": 1}),
            summary("m.y", None, reasons={"missing_input": 1, "too_short": 2}),
            summary("m.z", None, message="It is off.", reasons={"missing_input": 1}),
        ],
        rows,
    )
    assert found == {
        "m.x": Measured(0.5, {"a": 0.0, "c": math.inf}, 6, "3 sample(s) undefined, 1 sample(s) missing_input"),
        "m.y": Measured(None, {}, 0, "1 sample(s) missing_input, 2 sample(s) too_short"),
        "m.z": Measured(None, {}, 0, "It is off."),
    }


def test_values_of_a_comparison_are_differences_and_what_has_no_pair_is_counted() -> None:
    comparisons = [
        MetricComparison("m.x", "X", "higher", "1", pairs=2, unpaired=(1, 2), difference=0.25),
        MetricComparison("m.y", "Y", "higher", "1", message="Only one side has it."),
    ]
    pairs = [Pair("m.x", "a", 1.0, 1.5), Pair("m.x", "b", 1.0, None)]
    assert of_comparison(comparisons, pairs) == {
        "m.x": Measured(0.25, {"a": 0.5, "b": math.inf}, 3, "", "difference"),
        "m.y": Measured(None, {}, 0, "Only one side has it.", "difference"),
    }
