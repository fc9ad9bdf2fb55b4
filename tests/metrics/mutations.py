"""What a metric may be asked to see: each takes a clip, uint8 ``[T, H, W, 3]``, and returns one of the same shape."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Clip = NDArray[np.uint8]


def shift_by_one(clip: Clip) -> Clip:
    """Each frame comes one later; the first one twice."""
    return np.concatenate([clip[:1], clip[:-1]])


def repeat_a_frame(clip: Clip) -> Clip:
    """A frame in the middle stands for two."""
    mutated = clip.copy()
    mutated[len(clip) // 2] = clip[len(clip) // 2 - 1]
    return mutated


def swap_colours(clip: Clip) -> Clip:
    return np.ascontiguousarray(clip[..., [1, 2, 0]])


def blur(clip: Clip) -> Clip:
    return np.stack([cv2.GaussianBlur(frame, (7, 7), 2) for frame in clip])


def add_noise(clip: Clip) -> Clip:
    change = np.random.default_rng(7).normal(0, 12, clip.shape)
    return np.clip(clip + change, 0, 255).astype(np.uint8)


def freeze(clip: Clip) -> Clip:
    """The first frame, as often as there were frames."""
    return np.repeat(clip[:1], len(clip), axis=0)


MUTATIONS: dict[str, Callable[[Clip], Clip]] = {
    "shift by one": shift_by_one,
    "repeat a frame": repeat_a_frame,
    "hue shift": swap_colours,
    "blur": blur,
    "noise": add_noise,
    "freeze": freeze,
}
