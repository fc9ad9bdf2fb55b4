# SPDX-License-Identifier: Apache-2.0
"""Limits on metrics: what passes, what does not, and what nobody can say."""

from __future__ import annotations

from typing import Any

import pytest

from fvhydra.config.gates import Limit, limit, limits
from fvhydra.core.result import GateResult
from fvhydra.core.scores import MetricSummary, ScoreRow
from fvhydra.core.verdict import Verdict
from fvhydra.evaluation.gate import evaluate, of_scores

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
