# SPDX-License-Identifier: Apache-2.0
"""What the Fréchet metrics have in common: states, their merging, and how few samples are too few."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fvhydra.metrics.audio.frechet_distance import FrechetDistance
from fvhydra.metrics.base import Arrays
from fvhydra.metrics.distance import FrechetMetric
from fvhydra.metrics.functional.frechet import FeatureSet, frechet_distance
from tests.metrics.golden import load
from tests.metrics.running import NoAssets, skips

FRECHET = load("frechet")


def made(**params: str) -> FrechetMetric:
    return FrechetDistance(FrechetDistance.spec.params(extractor="given", **params), NoAssets())  # type: ignore[arg-type]


def samples(count: int, width: int, seed: int, side: str, loc: float = 0.0) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(width, width)) / width**0.5
    return [{side: (rng.normal(loc, 1, (1, width)) @ mix).astype(np.float32)} for _ in range(count)]


def state_of(metric: FrechetMetric, contributions: list[dict[str, Any]]) -> Arrays:
    state = metric.empty()
    for contribution in contributions:
        state = metric.update(state, contribution)
    return state


def directly(contributions: list[dict[str, Any]], width: int) -> float:
    """Of all features at once."""
    sets = []
    for side in ("generated", "reference"):
        features = FeatureSet(width)
        features.update(np.concatenate([part[side] for part in contributions if side in part]))
        sets.append(features)
    return frechet_distance(*sets)


@pytest.mark.parametrize(("count", "width"), [(40, 100), (300, 20), (64, 64)], ids=["N < D", "N > D", "N = D"])
def test_shards_in_any_order_agree_with_one_process(count: int, width: int) -> None:
    contributions = samples(count, width, 1, "generated") + samples(count + 7, width, 2, "reference", 0.1)
    np.random.default_rng(3).shuffle(contributions)  # type: ignore[arg-type]
    metric = made()
    whole = metric.compute(state_of(metric, contributions)).value
    assert whole == pytest.approx(directly(contributions, width), rel=1e-9)
    shards = [state_of(metric, contributions[part::4]) for part in range(4)]
    for order in ([0, 1, 2, 3], [2, 0, 3, 1]):
        merged = metric.empty()
        for index in order:
            merged = metric.merge(merged, shards[index])
        found = metric.compute(merged)
        assert found.value == pytest.approx(whole, rel=1e-9)
        assert (found.outputs["n_generated"], found.outputs["n_reference"]) == (count, count + 7)
    pairs = metric.merge(metric.merge(shards[3], shards[1]), metric.merge(shards[0], shards[2]))
    assert metric.compute(pairs).value == pytest.approx(whole, rel=1e-9)


def test_a_state_does_not_grow_with_the_samples() -> None:
    metric = made()
    state = state_of(metric, samples(200, 8, 1, "generated"))
    assert (state["generated.rows"].shape[1], int(state["generated.count"])) == (9, 200)
    assert len(state["generated.rows"]) <= 16
    assert all(isinstance(array, np.ndarray) and array.dtype != object for array in state.values())


def test_merging_leaves_its_arguments_alone() -> None:
    metric = made()
    one, other = (state_of(metric, samples(5, 4, seed, "generated")) for seed in (1, 2))
    before = {name: array.copy() for name, array in one.items()}
    metric.merge(one, other)
    assert all(np.array_equal(before[name], array) for name, array in one.items())


def test_fewer_samples_than_features_are_right() -> None:
    """Against the covariances, whose roots are taken in the small space that they span."""
    contributions = samples(6, 30, 1, "generated") + samples(9, 30, 2, "reference")
    metric = made()
    found = metric.compute(state_of(metric, contributions)).value
    sides = [np.concatenate([part[side] for part in contributions if side in part]).astype(np.float64)
             for side in ("generated", "reference")]  # fmt: skip
    spanned = np.linalg.qr(np.concatenate([side - side.mean(0) for side in sides]).T)[0]
    a, b = (np.cov(side @ spanned, rowvar=False) for side in sides)
    values, vectors = np.linalg.eigh(a)
    half = vectors @ np.diag(np.sqrt(values.clip(0))) @ vectors.T
    overlap = np.sqrt(np.linalg.eigvalsh(half @ b @ half).clip(0)).sum()
    shift = sides[0].mean(0) - sides[1].mean(0)
    expected = shift @ shift + np.trace(a) + np.trace(b) - 2 * overlap
    assert found == pytest.approx(expected, rel=1e-6)


def test_peer_adds_to_the_diagonals() -> None:
    contributions = samples(6, 30, 1, "generated") + samples(9, 30, 2, "reference")
    upstream, peer = (metric.compute(state_of(metric, contributions)).value for metric in (made(), made(parity="peer")))
    assert upstream != pytest.approx(peer, rel=1e-6)


def test_both_sides_need_two() -> None:
    metric = made()
    with skips("missing_input", "not 0 generated and 0 reference"):
        metric.compute(metric.empty())
    with skips("missing_input", "not 1 generated and 3 reference"):
        metric.compute(state_of(metric, samples(1, 4, 1, "generated") + samples(3, 4, 2, "reference")))
    assert metric.compute(state_of(metric, samples(2, 4, 1, "generated") + samples(2, 4, 1, "reference"))).value == 0


def test_rows_that_are_not_finite_are_left_out_and_counted() -> None:
    metric = made()
    contributions = samples(5, 4, 1, "generated") + samples(5, 4, 2, "reference")
    silent = {"generated": np.full((1, 4), np.nan, np.float32)}
    clean, dirty = (
        metric.compute(state_of(metric, part)) for part in (contributions, [silent, *contributions, silent])
    )
    assert dirty.value == clean.value
    assert (dirty.outputs["n_generated"], dirty.outputs["n_generated_dropped"]) == (5, 2)


def test_few_samples_are_called_rough() -> None:
    metric = made()
    few, many = (
        metric.compute(state_of(metric, samples(count, 3, 1, "generated") + samples(count, 3, 2, "reference")))
        for count in (255, 256)
    )
    assert ("note" in few.outputs, "note" in many.outputs) == (True, False)
