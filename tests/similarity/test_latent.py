# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fvhydra.media import latent
from fvhydra.similarity.latent import compare_latents, cosine_distance, difference_map

VIDEO = "corner_3x3_first_frame"
AUDIO = "audio_first_8_timesteps"


@pytest.fixture
def values() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((1, 16, 4, 12, 16)).astype(np.float32)


def bundle(folder: Path, values: NDArray[np.float32], kind: str = VIDEO) -> latent.LatentBundle:
    latent.save_bundle(folder / "reference.pt", values, "torch.float32", kind, {})
    return latent.load_bundle(folder / "reference.pt")


def test_identical_latents_are_at_distance_zero(tmp_path: Path, values: NDArray[np.float32]) -> None:
    found = compare_latents(bundle(tmp_path, values), values)
    assert found.difference is None
    assert found.max_abs_diff == 0.0
    for distance in (found.slice_cosine_distance, found.full_cosine_distance):
        assert distance is not None
        assert 0.0 <= distance <= 1e-7


def test_values_are_those_of_torch(tmp_path: Path, values: NDArray[np.float32]) -> None:
    generated = values + 0.1 * np.random.default_rng(1).standard_normal(values.shape).astype(np.float32)
    reference = bundle(tmp_path, values)
    found = compare_latents(reference, generated)

    ours, theirs = torch.from_numpy(generated), torch.from_numpy(reference.latent).float()
    rounded = ours.half().float()
    corner = ours[0, :, 0, :3, :3].flatten()
    expected = torch.from_numpy(reference.expected_slice)
    full = 1 - torch.cosine_similarity(rounded.flatten(), theirs.flatten(), dim=0)
    slices = 1 - torch.cosine_similarity(corner, expected, dim=0)
    # what torch's own float32 sums leave
    assert found.full_cosine_distance == pytest.approx(float(full), abs=3e-6)
    assert found.slice_cosine_distance == pytest.approx(float(slices), abs=3e-6)
    assert found.max_abs_diff == pytest.approx(float((rounded - theirs).abs().max()), abs=1e-7)


def test_the_slice_is_compared_unrounded(tmp_path: Path, values: NDArray[np.float32]) -> None:
    nudged = values.copy()
    nudged[0, :, 0, :3, :3] *= 1 + 1e-5 * np.sign(np.random.default_rng(1).standard_normal((16, 3, 3)))
    found = compare_latents(bundle(tmp_path, values), nudged)
    assert found.slice_cosine_distance is not None
    assert 1e-12 < found.slice_cosine_distance < 1e-9


def shifted(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.roll(values, 1, axis=2)


def other_seed(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.random.default_rng(11).standard_normal(values.shape).astype(np.float32)


def negated(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return -values


@pytest.mark.parametrize("mutate", [shifted, other_seed, negated])
def test_a_wrong_latent_is_far_beyond_the_gate(tmp_path: Path, values: NDArray[np.float32], mutate: object) -> None:
    assert callable(mutate)
    found = compare_latents(bundle(tmp_path, values), mutate(values))
    assert found.slice_cosine_distance is not None
    assert found.full_cosine_distance is not None
    assert found.slice_cosine_distance > 0.5
    assert found.full_cosine_distance > 0.5


def test_other_shapes_are_a_difference_and_no_number(tmp_path: Path, values: NDArray[np.float32]) -> None:
    found = compare_latents(bundle(tmp_path, values), values[:, :, :3])
    assert found.difference == "The shapes differ: reference [1, 16, 4, 12, 16], generated [1, 16, 3, 12, 16]."
    assert (found.slice_cosine_distance, found.full_cosine_distance, found.max_abs_diff) == (None, None, None)


@pytest.mark.parametrize(
    ("value", "says"), [(np.nan, "1 NaN and 0 infinite"), (np.inf, "0 NaN and 1 inf"), (1e6, "0 NaN and 1 inf")]
)
def test_not_finite_is_a_difference_and_no_number(
    tmp_path: Path, values: NDArray[np.float32], value: float, says: str
) -> None:
    reference = bundle(tmp_path, values)
    values[0, 0, 0, 0, 0] = value
    for found, side in (
        (compare_latents(reference, values), "generated"),
        (compare_latents(bundle(tmp_path, values), values), "ref"),
    ):
        assert found.difference is not None
        assert f"The {side}" in found.difference
        assert says in found.difference
        assert found.full_cosine_distance is None


def test_zero_vectors() -> None:
    zero, one = np.zeros(4, np.float32), np.ones(4, np.float32)
    assert cosine_distance(zero, zero) == 0.0
    assert cosine_distance(zero, one) == 1.0


def test_rounding_never_makes_a_distance_negative() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((200, 64))
    distances = [cosine_distance(vector, vector * rng.uniform(1, 3)) for vector in vectors]
    assert all(0 <= distance <= 1e-7 for distance in distances)


def test_difference_map_shows_where(tmp_path: Path, values: NDArray[np.float32]) -> None:
    changed = values.copy()
    changed[0, :, 2, 5, 7] += 1.0
    found = difference_map(bundle(tmp_path, values), changed)
    assert (found.shape, found.dtype) == ((4, 12, 16), np.float32)
    assert np.unravel_index(found.argmax(), found.shape) == (2, 5, 7)
    assert found[2, 5, 7] == pytest.approx(1.0, abs=1e-2)
    assert np.count_nonzero(found) == 1


def test_difference_map_is_the_mean_over_the_channels_and_not_the_largest(
    tmp_path: Path, values: NDArray[np.float32]
) -> None:
    changed = values.copy()
    changed[0, 3, 2, 5, 7] += 1.0
    assert difference_map(bundle(tmp_path, values), changed)[2, 5, 7] == pytest.approx(1 / 16, abs=1e-3)


def test_difference_map_of_audio_is_the_mean_over_the_batch(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((2, 6, 20)).astype(np.float32)
    changed = values.copy()
    changed[1, 4, 13] += 1.0
    assert difference_map(bundle(tmp_path, values, AUDIO), changed)[0, 4, 13] == pytest.approx(0.5, abs=1e-2)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_expected_slice_that_is_not_finite_is_a_difference_and_no_number(
    tmp_path: Path, values: NDArray[np.float32], value: float
) -> None:
    """A damaged or foreign bundle: its latent may be fine all the same."""
    reference = bundle(tmp_path, values)
    expected = reference.expected_slice.copy()
    expected.flat[5] = value
    found = compare_latents(dataclasses.replace(reference, expected_slice=expected), values)
    assert found.difference == "The reference's expected_slice is not finite."
    assert (found.slice_cosine_distance, found.full_cosine_distance, found.max_abs_diff) == (None, None, None)


def test_difference_map_of_audio_is_channels_by_time(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((1, 6, 20)).astype(np.float32)
    changed = values.copy()
    changed[0, 4, 13] += 1.0
    found = difference_map(bundle(tmp_path, values, AUDIO), changed)
    assert (found.shape, found.dtype) == ((1, 6, 20), np.float32)
    assert np.unravel_index(found.argmax(), found.shape) == (0, 4, 13)
