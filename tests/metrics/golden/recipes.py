# SPDX-License-Identifier: Apache-2.0
"""The inputs of the recorded values, built from their recipes: a recipe is ``{"fn": name, ...arguments}``.

All randomness is numpy's ``RandomState`` (MT19937), whose stream is frozen. Videos are uint8 ``[T, 3, H, W]`` here,
because the recorded hashes are of that layout; ``clip`` gives the layout of the package. What is drawn, and in which
order, must not change: ``checked`` compares with the recorded hash.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Recipe = dict[str, Any]
Video = NDArray[np.uint8]
Flow = NDArray[np.float32]


def noise(seed: int, T: int, H: int, W: int) -> Video:
    return np.random.RandomState(seed).randint(0, 256, size=(T, 3, H, W)).astype(np.uint8)


def perturb(base: Recipe, seed: int, amp: int) -> Video:
    """``base`` plus integer noise of -amp to amp, clipped."""
    video = build(base).astype(np.int16)
    change = np.random.RandomState(seed).randint(-amp, amp + 1, size=video.shape)
    return np.clip(video + change, 0, 255).astype(np.uint8)


def const(T: int, H: int, W: int, rgb: Sequence[int]) -> Video:
    return np.tile(np.asarray(rgb, np.uint8)[None, :, None, None], (T, 1, H, W))


def square(
    T: int, H: int, W: int, size: int, x0: int, y0: int, dx: int, dy: int,
    bg: Sequence[int], fg: Sequence[int], hold: int = 0,
) -> Video:  # fmt: skip
    """A square of colour ``fg`` that rests for ``hold`` frames and then moves over ``bg``."""
    patch = np.tile(np.asarray(fg, np.uint8)[:, None, None], (1, size, size))
    return _moving(const(T, H, W, bg), patch, x0, y0, dx, dy, hold)


def textured_square(
    T: int, H: int, W: int, size: int, x0: int, y0: int, dx: int, dy: int, seed: int, hold: int = 0
) -> Video:
    """The same with noise in the square, over blocks of 8x8 of darker noise."""
    random = np.random.RandomState(seed)
    blocks = random.randint(40, 120, size=(3, -(-H // 8), -(-W // 8)))
    background = np.kron(blocks, np.ones((1, 8, 8), int))[:, :H, :W].astype(np.uint8)
    patch = random.randint(150, 256, size=(3, size, size)).astype(np.uint8)
    return _moving(np.repeat(background[None], T, 0), patch, x0, y0, dx, dy, hold)


def _moving(video: Video, patch: Video, x0: int, y0: int, dx: int, dy: int, hold: int) -> Video:
    height, width = video.shape[2:]
    size = patch.shape[-1]
    for index, frame in enumerate(video):
        steps = max(index - hold, 0)
        x, y = x0 + dx * steps, y0 + dy * steps
        left, right, top, bottom = max(x, 0), min(x + size, width), max(y, 0), min(y + size, height)
        if left < right and top < bottom:
            frame[:, top:bottom, left:right] = patch[:, top - y : bottom - y, left - x : right - x]
    return video


def wave(T: int, H: int, W: int, kx: float, ky: float, om: float) -> Video:
    t, c, y, x = np.meshgrid(np.arange(T), np.arange(3), np.arange(H), np.arange(W), indexing="ij")
    values = 127.5 + 127.5 * np.cos(2 * np.pi * (kx * x / W + ky * y / H + om * t + c / 3.0))
    return np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8)


def flow(H: int, W: int, terms: Sequence[Any], noise_seed: int | None = None, noise_sigma: float = 0.0) -> Flow:
    """The sum of fields, float32 ``[H, W, 2]`` with u to the right and v down, and Gaussian noise."""
    y, x = np.meshgrid(np.arange(H, dtype=np.float64), np.arange(W, dtype=np.float64), indexing="ij")
    fields: dict[str, Callable[..., Any]] = {
        "uniform": lambda u, v: (u + 0 * x, v + 0 * x),
        "expand": lambda k, cx, cy: (k * (x - cx), k * (y - cy)),
        "rotate": lambda w, cx, cy: (-w * (y - cy), w * (x - cx)),
        "sine": lambda a, px, py: (a * np.sin(2 * np.pi * x / px), a * np.cos(2 * np.pi * y / py)),
    }
    total = np.zeros((H, W, 2))
    for name, *arguments in terms:
        total += np.stack(fields[name](*arguments), -1)
    if noise_seed is not None:
        total += noise_sigma * np.random.RandomState(noise_seed).randn(H, W, 2)
    return total.astype(np.float32)


def features(
    seed: int, N: int, D: int, loc: float = 0.0, scale: float = 1.0, mix: int | None = None
) -> NDArray[np.float32]:
    """Normal features, correlated by a random matrix where ``mix`` is its seed."""
    values = np.random.RandomState(seed).randn(N, D)
    if mix is not None:
        values = values @ (np.random.RandomState(mix).randn(D, D) / np.sqrt(D))
    return (values * scale + loc).astype(np.float32)


def wave_audio(seed: int, seconds: float, sr: int, freqs: Sequence[float], noise: float = 0.01) -> NDArray[np.float32]:
    count = round(seconds * sr)
    t = np.arange(count) / sr
    tones = sum(0.2 * np.sin(2 * np.pi * frequency * t) for frequency in freqs)
    return np.asarray(tones + noise * np.random.RandomState(seed).randn(count), np.float32)


def actions(seed: int, T: int) -> dict[str, NDArray[Any]]:
    """Keys W, S, A, D, turn left, turn right of 0 and 1; mouse pitch and yaw."""
    random = np.random.RandomState(seed)
    return {"keyboard": random.randint(0, 2, size=(T, 6)), "mouse": random.uniform(-0.5, 0.5, size=(T, 2))}


def probe_matrix(seed: int, outputs: int, grid: int, channels: int = 3) -> NDArray[np.float32]:
    """The projection that stands for a network: ``[outputs, channels * grid * grid]``."""
    inputs = channels * grid * grid
    return np.asarray(np.random.RandomState(seed).randn(outputs, inputs) / math.sqrt(inputs), np.float32)


_RECIPES: dict[str, Callable[..., Any]] = {
    recipe.__name__: recipe
    for recipe in (noise, perturb, const, square, textured_square, wave, flow, features, wave_audio, actions)
}


def build(recipe: Recipe) -> Any:
    """The array, or arrays, of a recipe."""
    arguments = dict(recipe)
    return _RECIPES[arguments.pop("fn")](**arguments)


def sha(array: NDArray[Any]) -> str:
    content = str(array.dtype).encode() + str(array.shape).encode() + np.ascontiguousarray(array).tobytes()
    return hashlib.sha256(content).hexdigest()[:16]


def checked(recipe: Recipe, recorded: str) -> Any:
    """The array of a recipe, which must be the one that the values were recorded on."""
    array = build(recipe)
    assert sha(array) == recorded, f"the recipe gives another array than the recorded one: {recipe}"
    return array


def clip(video: Video) -> Video:
    """uint8 ``[T, H, W, 3]`` of a ``[T, 3, H, W]``."""
    return np.ascontiguousarray(video.transpose(0, 2, 3, 1))
