# SPDX-License-Identifier: Apache-2.0
"""The interval of a change of medians."""

from __future__ import annotations

import numpy as np
import pytest

from fvhydra.performance.statistics import interval, share_of_change


def test_equal_values_give_equal_intervals() -> None:
    before, after = (list(np.random.default_rng(seed).normal(10 + seed, 0.3, 25)) for seed in (0, 1))
    found = interval(before, after, share_of_change)
    assert found == interval(before, after, share_of_change) != interval(before, after, share_of_change, seed=1)
    assert found[0] < 0.1 < found[1]


def test_a_single_value_is_taken_as_certain() -> None:
    assert interval([10.0], [11.0], share_of_change) == pytest.approx((0.1, 0.1))


def test_95_of_100_intervals_hold_the_change_that_there_was() -> None:
    draw = np.random.default_rng(5)
    held = 0
    for _ in range(300):
        before, after = (list(draw.normal(mean, 0.3, 25)) for mean in (10.0, 11.0))
        low, high = interval(before, after, share_of_change, resamples=1000)
        held += low <= 0.1 <= high
    assert 0.92 <= held / 300 <= 0.99


def test_it_is_the_95_percent_interval() -> None:
    # of nine values the median of a resample is the lowest or the second with a probability of 3 %, the lowest with 0.1
    assert interval([1.0], [float(value) for value in range(1, 10)], share_of_change) == (1.0, 7.0)
