# SPDX-License-Identifier: Apache-2.0
"""One value over all samples, or why there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fvhydra.core import files
from fvhydra.core.progress import Silent
from fvhydra.core.scores import ScoreRow
from fvhydra.core.verdict import Verdict
from fvhydra.evaluation import gate
from fvhydra.evaluation.evaluate import evaluate
from fvhydra.evaluation.scoring import Resources
from fvhydra.evaluation.summary import summarise
from fvhydra.metrics.base import Score
from fvhydra.metrics.sample import Sample
from tests.evaluation import toys
from tests.evaluation.conftest import Make


def row(sample: str, value: float | None = None, **facts: Any) -> ScoreRow:
    return ScoreRow(sample, "toy.brightness", 1, "p", sample, "skipped" if value is None else "ok", value, **facts)


class Odd(toys.Toy):
    """Its value over all samples is none, and so is an output."""

    value = math.nan

    def corpus(self, rows: Sequence[ScoreRow]) -> Score:
        return Score(self.value, {"share": math.inf, "parts": [1.0, math.nan]})


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_over_all_samples_that_is_not_finite_is_none_with_the_reason(value: float) -> None:
    metric = toys.make(Odd)
    metric.value = value  # type: ignore[attr-defined]
    found = summarise(metric, [row("a", 1.0)])
    assert (found.value, found.message) == (None, f"the value over all samples is {value}")
    files.canonical_json(found)


def test_an_output_over_all_samples_that_is_not_finite_is_none() -> None:
    metric = toys.make(Odd)
    metric.value = 1.0  # type: ignore[attr-defined]
    found = summarise(metric, [row("a", 1.0)])
    assert (found.value, found.outputs) == (1.0, {"share": None, "parts": [1.0, None]})


def test_the_first_samples_reason_does_not_stand_for_all() -> None:
    metric = toys.make(toys.Toy)
    rows = [row("a", message="too short"), *(row(sample, message="another size") for sample in "bcd")]
    assert summarise(metric, rows).message == "another size (3 sample(s); 1 for other reasons)"
    assert summarise(metric, rows[1:]).message == "another size"
    assert summarise(metric, [row("e", 1.0), *rows]).message == ""


def test_samples_without_a_value_of_their_own_count_in_the_one_over_all(make_clip: Make, tmp_path: Path) -> None:
    samples = [Sample(name, {"video": make_clip(name)}, tags=("tag",)) for name in ("a.mp4", "b.mp4")]
    metric = toys.make(toys.Apart, scale=2.0)
    [found], rows = evaluate(samples, [metric], tmp_path / "run", Silent(), resources=Resources(1, 1))
    assert [(row.status, row.value, row.code, row.message) for row in rows] == [
        ("ok", None, "undefined", "one clip is no share")
    ] * 2
    assert (found.value, found.by_tag, found.reasons) == (1.0, {"tag": {"value": 1.0, "ok": 2}}, {"undefined": 2})
    assert found.message == "2 of 2 samples have no value of their own, and count in the value over all samples"
    limits = {"toy.apart": [">=1", "min>=0"]}
    held = gate.evaluate(limits, gate.of_scores([found], rows))
    assert [item.verdict for item in held] == [Verdict.PASS, Verdict.INCONCLUSIVE]
    assert "2 sample(s) without a value" in held[0].message
