# SPDX-License-Identifier: Apache-2.0
"""Where in space and time the outputs of two sides differ."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fvhydra.engines.base import GeneratedMedia

FRAMES, SIDE = 12, 96
"""Most pictures of a map of frames, and most of their rows and columns; larger ones are averaged in blocks."""


def difference_maps(official: GeneratedMedia, candidate: GeneratedMedia) -> dict[str, NDArray[np.float32]]:
    """The absolute difference of each output that both sides gave in one shape, sound excepted.

    Returns:
        float32 ``[T, H, W]`` by the output's name: ``latent``, averaged over batch and channels, one picture
        ``[1, C, T]`` for audio; ``frames``, in levels of 255, averaged over the channels.
    """
    found = {}
    if (latents := _pair(official.latent, candidate.latent)) is not None:
        difference = np.abs(latents[0].astype(np.float32) - latents[1].astype(np.float32))
        found["latent"] = difference.mean(axis=0)[np.newaxis] if difference.ndim == 3 else difference.mean(axis=(0, 1))
    if (frames := _pair(official.frames, candidate.frames)) is not None:
        each = [_levels(left, right).mean(axis=-1) for left, right in zip(*frames, strict=True)]
        found["frames"] = in_blocks(np.stack(each), (FRAMES, SIDE, SIDE))
    return found


def by_frame(official: GeneratedMedia, candidate: GeneratedMedia) -> list[float]:
    """Mean absolute difference of each frame, in levels of 255; none where the clips have other shapes."""
    frames = _pair(official.frames, candidate.frames)
    return [] if frames is None else [float(_levels(*both).mean()) for both in zip(*frames, strict=True)]


def in_blocks(values: NDArray[np.float32], most: tuple[int, ...]) -> NDArray[np.float32]:
    """Means of blocks, so that no axis is longer than allowed.

    >>> in_blocks(np.array([[1.0, 3.0, 5.0]], np.float32), (1, 2))
    array([[1., 4.]], dtype=float32)
    """
    for axis, limit in enumerate(most):
        length = values.shape[axis]
        if length > limit:
            starts = np.arange(limit) * length // limit
            sizes = np.diff(np.append(starts, length)).astype(np.float32)
            sums: NDArray[np.float32] = np.add.reduceat(values, starts, axis=axis)
            sums /= sizes.reshape([-1 if other == axis else 1 for other in range(values.ndim)])
            values = sums
    return values


def _levels(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.float32]:
    difference: NDArray[np.float32] = np.abs(left.astype(np.float32) - right.astype(np.float32))
    return difference


def _pair(left: NDArray[Any] | None, right: NDArray[Any] | None) -> tuple[NDArray[Any], NDArray[Any]] | None:
    return None if left is None or right is None or left.shape != right.shape or not left.size else (left, right)
