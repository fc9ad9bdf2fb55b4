# SPDX-License-Identifier: Apache-2.0
"""Limits as they are typed, and what keeps them."""

from __future__ import annotations

import math
from typing import Any

import pydantic
import pytest

from fvhydra.config.gates import Gate, Limit, limit, limits

CHECKED = pydantic.TypeAdapter(Gate)


@pytest.mark.parametrize(
    ("relation", "below", "at", "above", "from_below"),
    [
        (">=", False, True, True, True),
        (">", False, False, True, True),
        ("<=", True, True, False, False),
        ("<", True, False, False, False),
    ],
)
def test_what_keeps_a_limit(relation: str, below: bool, at: bool, above: bool, from_below: bool) -> None:
    made = Limit("", relation, 0.5)
    assert [made.holds(value) for value in (0.4, 0.5, 0.6)] == [below, at, above]
    assert made.from_below is from_below and not made.holds(math.nan)


def test_a_limit_is_written_as_it_is_typed() -> None:
    assert str(Limit("", ">=", 0.93)) == ">= 0.93" and str(Limit("p05", "<", 1e-3)) == "p05 < 0.001"
    assert limit("P50 <= -1E2") == Limit("p50", "<=", -100.0)
    assert limit("<+.5") == Limit("", "<", 0.5)


def test_one_limit_or_several_of_each_metric() -> None:
    found = limits({"m.x": ">=0.5", "m.y": [">0", "max<1"]})
    assert found == {"m.x": [Limit("", ">=", 0.5)], "m.y": [Limit("", ">", 0.0), Limit("max", "<", 1.0)]}


def test_what_is_no_limit_is_shown_with_what_is() -> None:
    with pytest.raises(ValueError) as refused:
        limits({"m.x": [">=1", 0.5]})
    assert str(refused.value) == (
        "must be limits such as '>=0.93' or 'min>=0.9' (mean, min, max, p00 to p99), and '0.5' is none"
    )


def test_a_gate_is_none_or_limits_by_metric() -> None:
    assert CHECKED.validate_python(None) == {}
    given: dict[str, Any] = {"m.x": ">=1"}
    assert CHECKED.validate_python(given) == given
    for wrong, says in (
        ([">=1"], 'must be limits by metric, such as {common.ssim: ">=0.93"}'),
        ({"m.x": "1"}, "'1' is none"),
    ):
        with pytest.raises(pydantic.ValidationError) as refused:
            CHECKED.validate_python(wrong)
        [item] = refused.value.errors()
        assert item["msg"].endswith(says) and item["msg"].startswith("Value error, must be limits")
