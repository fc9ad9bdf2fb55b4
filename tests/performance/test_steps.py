# SPDX-License-Identifier: Apache-2.0
"""Lasting changes are found where they are, and noise, outliers and drifts of a thousandth are none."""

from __future__ import annotations

import numpy as np
import pytest

from fvhydra.performance.steps import find_steps, levels


def _noisy(seed: int, noise: float, points: int, change: float = 0.0, at: int = 0) -> list[float]:
    draw = np.random.default_rng(seed)
    values = 10 * (1 + noise * draw.normal(size=points))
    values[at:] *= 1 + change
    values[draw.random(points) < 0.02] *= 1.5
    return [float(value) for value in values]


@pytest.mark.parametrize(("noise", "most"), [(0.01, 1), (0.03, 2), (0.05, 2)])
def test_noise_with_outliers_is_no_step(noise: float, most: int) -> None:
    assert sum(bool(find_steps(_noisy(seed, noise, 100))) for seed in range(40)) <= most


@pytest.mark.parametrize(("noise", "change", "least"), [(0.01, 0.05, 40), (0.03, 0.1, 38), (0.05, 0.2, 40)])
def test_a_step_is_found_where_it_is(noise: float, change: float, least: int) -> None:
    found = [find_steps(_noisy(seed, noise, 100, change, 66)) for seed in range(40)]
    assert sum(any(abs(index - 66) <= 3 for index in each) for each in found) >= least


@pytest.mark.parametrize(
    ("values", "steps"),
    [
        ([], []),
        ([1.0] * 4 + [2.0] * 4, []),
        ([3.0] * 50, []),
        ([0.0] * 20, []),
        ([10.0] * 10 + [11.0] * 10, [10]),
        ([10.0] * 10 + [10.05] * 10, []),
        ([10.0] * 10 + [20.0] + [10.0] * 10, []),
        ([10.0] * 10 + [11.0] * 10 + [10.0] * 10, [10, 20]),
        ([0.0] * 10 + [1.0] * 10, [10]),
    ],
)
def test_exact_histories(values: list[float], steps: list[int]) -> None:
    assert find_steps(values) == steps


def test_the_level_of_a_stretch_is_its_median() -> None:
    assert levels([1.0, 1.0, 9.0, 4.0, 5.0, 6.0], [3]) == [1.0, 5.0]
