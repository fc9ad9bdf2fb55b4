# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from fvhydra.core.scores import ScoreRow
from fvhydra.metrics.base import Score
from fvhydra.metrics.functional.judge import candidate_first
from tests.metrics.golden import load
from tests.metrics.running import make, score, skips

GOLDEN = load("judge")
ANSWERS = {
    "always_first_k3": lambda first: "video_1",
    "always_first_k2": lambda first: "video_1",
    "all_tie_k3": lambda first: "tie",
    "candidate_k3": lambda first: "video_1" if first else "video_2",
}


def judged(pair: dict[str, Any], name: str) -> dict[str, Any]:
    comparisons = int(name[-1])
    order = candidate_first(f"{pair['video_path']}|{pair['reference_path']}", comparisons, parity="peer")
    names = ("candidate" if first else "baseline" for first in order)
    answers = [{"first": who, "answer": ANSWERS[name](first)} for who, first in zip(names, order, strict=True)]
    return {"judgements": answers, "action": pair["action"]}


def row(found: Score) -> ScoreRow:
    return ScoreRow("a", "judge.preference", 1, "", "", "ok", found.value, outputs=found.outputs)


@pytest.mark.parametrize("name", ANSWERS)
def test_recorded(name: str) -> None:
    metric, expected = make("judge.preference", parity="peer"), GOLDEN["results"][name]
    found = [score(metric, judged(pair, name)) for pair in GOLDEN["pairs"]]
    assert [each.outputs["verdict"] for each in found] == expected["verdicts"]
    if expected["score"] is None:
        with skips("missing_input", "9 pairs are ties"):
            metric.corpus([row(each) for each in found])
        return
    total = metric.corpus([row(each) for each in found])
    assert total.value == expected["score"]
    for key in ("wins", "losses", "ties"):
        assert total.outputs[key] == expected["details"][key]
        for action, recorded in expected["details"]["per_action"].items():
            assert total.outputs["per_action"][action][key] == recorded[key]


def test_values_of_clips() -> None:
    metric = make("judge.preference")
    for answers, value, consistent in [(("1", "2"), 1, True), (("2", "1"), 0, True), (("1", "1"), 0.5, False)]:
        comparisons = [
            {"first": first, "answer": f"video_{answer}"}
            for first, answer in zip(("candidate", "baseline"), answers, strict=True)
        ]
        found = score(metric, {"judgements": comparisons})
        assert (found.value, found.outputs["position_consistent"]) == (value, consistent)


@pytest.mark.parametrize(
    ("judgements", "code", "reason"),
    [
        ([{"first": "candidate", "answer": "video_1"}], "shape", "1 and 0 times"),
        ([{"first": "candidate", "answer": "left"}], "shape", "answer"),
        ("video_1", "shape", "list"),
        ([], "missing_input", "empty"),
    ],
)
def test_what_are_no_judgements(judgements: Any, code: str, reason: str) -> None:
    with skips(code, reason):
        score(make("judge.preference"), {"judgements": judgements})
