# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fvhydra.metrics.functional.frechet import PEER_RIDGE, FeatureSet, finite_rows, frechet_distance, merged
from tests.metrics.golden import load, recipes

GOLDEN = load("frechet")
Features = NDArray[Any]


def feature_set(features: Features, chunks: int = 1) -> FeatureSet:
    found = FeatureSet(features.shape[1])
    for chunk in np.array_split(features, chunks):
        found.update(chunk)
    return found


def by_svd(a: Features, b: Features) -> float:
    """The definition in float64: centred features, their SVDs, the square root of each covariance."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    centred = [(x - x.mean(0)) / np.sqrt(len(x) - 1) for x in (a, b)]
    roots = []
    for x in centred:
        _, sigma, vt = np.linalg.svd(x, full_matrices=False)
        roots.append(vt.T @ np.diag(sigma) @ vt)
    overlap = np.linalg.svd(roots[0] @ roots[1], compute_uv=False).sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + sum((x**2).sum() for x in centred) - 2 * overlap)


def random(seed: int, count: int, width: int, offset: float = 0.0) -> Features:
    rng = np.random.default_rng(seed)
    return rng.normal(offset, 1, (count, width)) @ rng.normal(0, 1, (width, width)) / np.sqrt(width) + offset


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
def test_recorded(case: dict[str, Any]) -> None:
    sides = zip(("generated", "reference"), case["sha"], strict=True)
    sets = [feature_set(recipes.checked(case[key], sha)) for key, sha in sides]
    singular = case["name"] in ("identical", "rank_deficient_N5_D16", "two_samples_each_D8", "wide_D400_N64")
    tolerance = 1e-3 if singular else 1e-6
    assert frechet_distance(*sets, ridge=PEER_RIDGE) == pytest.approx(case["fvd"], rel=1e-6, abs=tolerance)


def test_the_peers_epsilon_moves_the_distance() -> None:
    [case] = [case for case in GOLDEN["cases"] if case["name"] == "rank_deficient_N5_D16"]
    sets = [feature_set(recipes.build(case[key])) for key in ("generated", "reference")]
    assert frechet_distance(*sets) == pytest.approx(27.2511, abs=1e-4)
    assert frechet_distance(*sets, ridge=PEER_RIDGE) == pytest.approx(27.2471, abs=1e-4)


def test_recorded_accumulation() -> None:
    sides = []
    for seeds in (range(100, 106), range(200, 208)):
        clips = [recipes.noise(seed, T=2, H=4, W=4).astype(np.float32) / 255 for seed in seeds]
        sides.append(feature_set(np.stack([clip.mean(axis=(0, 2, 3)) for clip in clips])))
    expected = GOLDEN["accumulate_stub"]["gen6_ref8"]["score"]
    assert frechet_distance(*sides, ridge=PEER_RIDGE) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("count", [5, 20, 90, 400], ids=lambda count: f"{count} samples")
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_the_definition(count: int, offset: float) -> None:
    a, b = random(0, count, 24, offset), random(1, count + 7, 24, offset + 0.3)
    assert frechet_distance(feature_set(a, 7), feature_set(b, 3)) == pytest.approx(by_svd(a, b), rel=1e-9)


@pytest.mark.parametrize("spread", [1e-1, 1e-9], ids=["steep", "of rank four"])
def test_small_directions_keep_their_digits(spread: float) -> None:
    scales = np.maximum(spread ** np.arange(64), 1e-300)
    scales[:4] = 1
    a, b = np.random.default_rng(12).normal(size=(2, 200, 64)) * scales
    rotation = np.linalg.qr(np.random.default_rng(13).normal(size=(64, 64)))[0]
    distance = frechet_distance(feature_set(a @ rotation, 4), feature_set(b @ rotation))
    assert distance == pytest.approx(by_svd(a @ rotation, b @ rotation), rel=1e-9)


@pytest.mark.parametrize("count", [13, 300], ids=["fewer samples than features", "many samples"])
def test_shards_merge_in_any_order(count: int) -> None:
    a, b = random(2, count, 32, 5.0), random(3, count, 32, 5.5)
    reference = feature_set(b)
    alone = frechet_distance(feature_set(a), reference)
    assert alone == pytest.approx(by_svd(a, b), rel=1e-9)
    shards = [feature_set(part, 2) for part in np.split(a, [2, 6, count // 2])]
    for order in itertools.permutations(shards):
        assert frechet_distance(merged(order), reference) == pytest.approx(alone, rel=1e-9)
    left, right = merged(shards[:2]), merged(shards[2:])
    assert frechet_distance(merged([right, left]), reference) == pytest.approx(alone, rel=1e-9)


def test_a_stored_state_goes_on() -> None:
    a, b = random(4, 200, 16), random(5, 200, 16, 0.2)
    stored = feature_set(a[:120])
    restored = FeatureSet(stored.width, stored.count, stored.rows.copy())
    restored.update(a[120:])
    assert frechet_distance(restored, feature_set(b)) == pytest.approx(by_svd(a, b), rel=1e-9)


def test_memory_does_not_grow_with_the_samples() -> None:
    assert len(feature_set(random(6, 5000, 8), chunks=50).rows) <= 16


def test_equal_sets_are_ideal() -> None:
    for count in (3, 50):
        features = random(7, count, 10, 3.0)
        assert frechet_distance(feature_set(features), feature_set(features[::-1])) == pytest.approx(0, abs=1e-10)


def test_it_grows_with_shift_and_scale() -> None:
    features = random(8, 60, 12)
    reference = feature_set(features)
    for mutate in (lambda size: features + size, lambda size: features * (1 + size)):
        distances = [frechet_distance(feature_set(mutate(size)), reference) for size in (0.0, 0.1, 0.3, 1.0)]
        assert distances == sorted(distances)
        assert distances[1] > 1e-3


def test_a_shift_alone_is_its_square() -> None:
    features = random(9, 30, 5)
    assert frechet_distance(feature_set(features + 2), feature_set(features)) == pytest.approx(5 * 2**2)


def test_rows_that_are_not_finite_are_told_apart() -> None:
    features = random(10, 4, 3)
    features[1, 2] = np.nan
    kept, dropped = finite_rows(features)
    assert (kept.tolist(), dropped) == (features[[0, 2, 3]].tolist(), 1)
    with pytest.raises(ValueError, match="finite"):
        feature_set(features)


def test_refuses_what_has_no_distance() -> None:
    one, other, wide = (feature_set(random(11, *shape)) for shape in ((1, 4), (5, 4), (5, 6)))
    with pytest.raises(ValueError, match="two samples, not 1"):
        frechet_distance(one, other)
    with pytest.raises(ValueError, match="different features: 4 and 6"):
        frechet_distance(other, wide)
    with pytest.raises(ValueError, match="cannot be merged"):
        other.merge(wide)
    with pytest.raises(ValueError, match=r"\[N, 4\]"):
        other.update(np.zeros(4))
    with pytest.raises(ValueError, match="rows of 4"):
        FeatureSet(3, 2, np.zeros((2, 3)))
