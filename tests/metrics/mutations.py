# SPDX-License-Identifier: Apache-2.0
"""What a metric may be asked to see: ways in which a clip goes wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SampleVideos = NDArray[np.uint8]
Sound = NDArray[np.float32]

RATE_HZ = 48_000


@dataclass(frozen=True)
class Take:
    """A clip with its sound and what is known of both.

    Attributes:
        video: uint8 ``[T, H, W, 3]``.
        audio: float32 ``[N]``.
        caption: What it should show and say.
    """

    video: SampleVideos
    audio: Sound
    caption: str


def drop_a_frame(clip: SampleVideos) -> SampleVideos:
    """The one in the middle is lost; those after it come one earlier, and the last one stands for two."""
    return np.concatenate([np.delete(clip, len(clip) // 2, axis=0), clip[-1:]])


def repeat_a_frame(clip: SampleVideos) -> SampleVideos:
    """A frame in the middle stands for two."""
    mutated = clip.copy()
    mutated[len(clip) // 2] = clip[len(clip) // 2 - 1]
    return mutated


def shift_by_one(clip: SampleVideos) -> SampleVideos:
    """Each frame comes one later; the first one twice."""
    return np.concatenate([clip[:1], clip[:-1]])


def shift_hue(clip: SampleVideos) -> SampleVideos:
    """By a sixth of the circle."""
    shifted = []
    for frame in clip:
        hsv = cv2.cvtColor(frame, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(np.int16) + 30) % 180
        shifted.append(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))
    return np.stack(shifted)


def blur(clip: SampleVideos) -> SampleVideos:
    return np.stack([cv2.GaussianBlur(frame, (7, 7), 2) for frame in clip])


def add_noise(clip: SampleVideos) -> SampleVideos:
    change = np.random.default_rng(7).normal(0, 12, clip.shape)
    return np.clip(clip + change, 0, 255).astype(np.uint8)


def through_jpeg(clip: SampleVideos) -> SampleVideos:
    """At quality 15."""
    coded = [cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 15])[1] for frame in clip]
    return np.stack([cv2.imdecode(each, cv2.IMREAD_COLOR) for each in coded])


def double_speed(clip: SampleVideos) -> SampleVideos:
    """Every other frame; at the end it goes back, so that it never stands still."""
    last = len(clip) - 1
    steps = np.arange(len(clip)) * 2 % (2 * last)
    return clip[np.minimum(steps, 2 * last - steps)]


def freeze(clip: SampleVideos) -> SampleVideos:
    """The first frame, as often as there were frames."""
    return np.repeat(clip[:1], len(clip), axis=0)


PICTURES: dict[str, Callable[[SampleVideos], SampleVideos]] = {
    "drop a frame": drop_a_frame,
    "repeat a frame": repeat_a_frame,
    "shift by one": shift_by_one,
    "hue shift": shift_hue,
    "blur": blur,
    "noise": add_noise,
    "jpeg": through_jpeg,
    "speed 2x": double_speed,
    "freeze": freeze,
}
"""Those of a clip: uint8 ``[T, H, W, 3]`` in, one of the same shape out."""


def _each(change: Callable[[SampleVideos], SampleVideos]) -> Callable[[Sequence[Take]], list[Take]]:
    return lambda takes: [dataclasses.replace(take, video=change(take.video)) for take in takes]


def _next(takes: Sequence[Take]) -> list[Take]:
    return [*takes[1:], takes[0]]


def swap_clips(takes: Sequence[Take]) -> list[Take]:
    """Each has the next one's pictures."""
    return [dataclasses.replace(take, video=other.video) for take, other in zip(takes, _next(takes), strict=True)]


def swap_captions(takes: Sequence[Take]) -> list[Take]:
    """Each has the next one's caption."""
    return [dataclasses.replace(take, caption=other.caption) for take, other in zip(takes, _next(takes), strict=True)]


def cut_to_another(takes: Sequence[Take]) -> list[Take]:
    """Halfway, each goes on with the next one's pictures."""
    half = len(takes[0].video) // 2
    cut = [np.concatenate([a.video[:half], b.video[half:]]) for a, b in zip(takes, _next(takes), strict=True)]
    return [dataclasses.replace(take, video=video) for take, video in zip(takes, cut, strict=True)]


def mute(takes: Sequence[Take]) -> list[Take]:
    return [dataclasses.replace(take, audio=np.zeros_like(take.audio)) for take in takes]


def shift_audio(takes: Sequence[Take]) -> list[Take]:
    """Half a second late, after silence."""
    late = [np.concatenate([np.zeros(RATE_HZ // 2, np.float32), take.audio[: -RATE_HZ // 2]]) for take in takes]
    return [dataclasses.replace(take, audio=audio) for take, audio in zip(takes, late, strict=True)]


MUTATIONS: dict[str, Callable[[Sequence[Take]], list[Take]]] = {
    **{name: _each(change) for name, change in PICTURES.items()},
    "swap two clips": swap_clips,
    "cut to another": cut_to_another,
    "mute": mute,
    "shift audio": shift_audio,
    "swap captions": swap_captions,
}
"""Those of a set of takes, in the order of the table in docs/metrics.md."""
