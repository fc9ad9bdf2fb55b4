# SPDX-License-Identifier: Apache-2.0
"""Exit codes are an interface: CI systems act on them."""

from __future__ import annotations

import pytest

from fvhydra.core.verdict import Verdict, worst

CODES = {
    "done": 0,
    "pass": 0,
    "regression": 1,
    "usage_error": 2,
    "no_reference": 3,
    "recipe_mismatch": 3,
    "infrastructure": 4,
    "inconclusive": 5,
    "interrupted": 130,
}


@pytest.mark.parametrize("verdict", list(Verdict))
def test_each_verdict_has_its_exit_code(verdict: Verdict) -> None:
    assert verdict.exit_code == CODES[verdict.value]


def test_no_verdict_is_without_a_code() -> None:
    assert {verdict.value for verdict in Verdict} == set(CODES)


@pytest.mark.parametrize("other", ["done", "pass", "regression", "usage_error"])
def test_another_recipe_outweighs_whatever_passed_or_failed(other: str) -> None:
    assert worst([Verdict(other), Verdict.RECIPE_MISMATCH]) is Verdict.RECIPE_MISMATCH
