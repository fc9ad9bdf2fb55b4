# SPDX-License-Identifier: Apache-2.0
"""One value over all samples, or why there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest

from fvhydra.core import files
from fvhydra.core.scores import ScoreRow
from fvhydra.evaluation.summary import summarise
from fvhydra.metrics.base import Score
from tests.evaluation import toys


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
