# SPDX-License-Identifier: Apache-2.0
"""Intervals of means: as the textbook says, and the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from fvhydra.evaluation.bootstrap import interval


def test_it_agrees_with_the_normal_interval_where_that_holds() -> None:
    values = np.random.default_rng(5).normal(3.0, 2.0, 2000)
    found = interval(values.tolist())
    assert found is not None
    half = 1.96 * values.std() / np.sqrt(values.size)
    assert found == pytest.approx((values.mean() - half, values.mean() + half), abs=0.05 * half)


def test_equal_values_have_no_width() -> None:
    assert interval([0.5, 0.5, 0.5]) == (0.5, 0.5)


def test_one_value_says_nothing_of_its_mean() -> None:
    assert interval([0.5]) is None and interval([]) is None


def test_it_is_the_same_every_time_for_any_size_of_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(6).random(64).tolist()
    first = interval(values)
    assert interval(values) == first and interval(values, seed=1) != first
    monkeypatch.setattr("fvhydra.evaluation.bootstrap._DRAWS_AT_ONCE", 1000)
    assert interval(values) == first
