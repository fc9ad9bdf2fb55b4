# SPDX-License-Identifier: Apache-2.0
"""Comparison of a latent with its reference: cosine distances and the largest absolute difference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fvhydra.core.artifacts import LatentComparison
from fvhydra.media.latent import LatentBundle, take_slice, to_float16


def compare_latents(reference: LatentBundle, generated: NDArray[np.float32]) -> LatentComparison:
    """Compare a generated latent with its reference.

    Args:
        reference: The bundle.
        generated: float32, ``[B, C, T, H, W]`` or ``[B, C, T]``, as the engine made it.
    """
    rounded = to_float16(generated)
    if difference := _difference(reference, rounded):
        return LatentComparison(difference=difference)
    return LatentComparison(
        slice_cosine_distance=cosine_distance(reference.expected_slice, take_slice(generated, reference.slice_kind)),
        full_cosine_distance=cosine_distance(reference.latent, rounded),
        max_abs_diff=float(_absolute_difference(reference.latent, rounded).max()),
    )


def cosine_distance(left: NDArray[np.floating], right: NDArray[np.floating]) -> float:
    """1 - cos of two arrays of one shape, taken as vectors; 0 to 2.

    Sums are float64: in float32 the rounding over a large latent is as big as the differences that matter. Two zero
    vectors are equal (0); a zero vector has no direction in common with any other (1).
    """
    a, b = left.astype(np.float64).ravel(), right.astype(np.float64).ravel()
    norms = float(np.sqrt((a @ a) * (b @ b)))
    if norms == 0.0:
        return 0.0 if a.any() == b.any() else 1.0
    return max(0.0, 1.0 - float(a @ b) / norms)


def difference_map(reference: LatentBundle, generated: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where two latents of one shape differ, as pictures.

    Returns:
        float32 ``[T, H, W]``: for video the absolute difference averaged over batch and channels; for audio
        (``[B, C, T]``) one picture ``[1, C, T]``, with the channels as rows and time from left to right, averaged over
        the batch. A difference with NaN is NaN.
    """
    difference = _absolute_difference(reference.latent, to_float16(generated))
    mean: NDArray[np.float32] = difference.mean(axis=0) if difference.ndim == 3 else difference.mean(axis=(0, 1))
    return mean[np.newaxis] if difference.ndim == 3 else mean


def _absolute_difference(left: NDArray[np.float16], right: NDArray[np.float16]) -> NDArray[np.float32]:
    difference: NDArray[np.float32] = np.abs(left.astype(np.float32) - right.astype(np.float32))
    return difference


def _difference(reference: LatentBundle, rounded: NDArray[np.float16]) -> str | None:
    if reference.shape != rounded.shape:
        return f"The shapes differ: reference {list(reference.shape)}, generated {list(rounded.shape)}."
    for name, values in (("reference", reference.latent), ("generated", rounded)):
        if not np.isfinite(values).all():
            nan, infinite = int(np.isnan(values).sum()), int(np.isinf(values).sum())
            return f"The {name} latent is not finite as float16: {nan} NaN and {infinite} infinite values."
    if not np.isfinite(reference.expected_slice).all():
        return "The reference's expected_slice is not finite."
    return None
