# SPDX-License-Identifier: Apache-2.0
"""Samples in memory, and what a metric finds on them: what the pass over a clip does, without files or threads."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fvhydra.media.audio import write_wav
from fvhydra.media.video import encode
from fvhydra.metrics.base import Chunk, Metric, SampleVideos, Score, Shared, Skip, Skipped, Track
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Spec

Video = NDArray[np.uint8]

FPS = 8
RATE_HZ = 48_000
FRAMES, HEIGHT, WIDTH = 16, 64, 96


@dataclass(frozen=True)
class VideoSample:
    """A sample whose videos are arrays.

    Attributes:
        id: Its name.
        videos: uint8 ``[T, H, W, 3]`` by the key of the sample (``video``, ``reference``, ...).
        keys: Everything else that is known of it: texts, paths, values.
        fps: Of all videos.
        role: ``generated`` or ``reference``.
    """

    id: str
    videos: Mapping[str, Video] = field(default_factory=dict)
    keys: Mapping[str, Any] = field(default_factory=dict)
    fps: float = FPS
    role: str = "generated"

    def without(self, key: str) -> VideoSample:
        """The same without one key."""
        videos, keys = ({k: v for k, v in each.items() if k != key} for each in (self.videos, self.keys))
        return dataclasses.replace(self, videos=videos, keys=keys)

    @property
    def has_references(self) -> bool:
        """Whether something in it is compared with a reference of the same kind."""
        keys = {*self.videos, *self.keys}
        return any(_reference_of(key) in keys for key in keys)

    def equal_to_its_references(self) -> VideoSample:
        """The same with every reference in the place of what is compared with it."""
        videos = {key: self.videos.get(_reference_of(key), video) for key, video in self.videos.items()}
        keys = {key: self.keys.get(_reference_of(key), value) for key, value in self.keys.items()}
        return dataclasses.replace(self, videos=videos, keys=keys)

    def written(self, folder: Path) -> Sample:
        """The sample as an evaluation has it, its videos in files (compressed, so not the same to the bit)."""
        paths = {key: folder / f"{self.id} {key}.mp4" for key in self.videos}
        for key, path in paths.items():
            encode(path, self.videos[key], self.fps)
        return Sample(self.id, {**self.keys, **paths}, self.role)

    def in_memory(self, folder: Path) -> Sample:
        """The sample that a metric is given; under the keys of its videos stand files of their bytes."""
        paths = {}
        for key, video in self.videos.items():
            paths[key] = folder / f"{self.id} {key}.bin"
            paths[key].write_bytes(video.tobytes())
        return Sample(self.id, {**self.keys, **paths}, self.role)


def _reference_of(key: str) -> str:
    return "reference" if key == "video" else f"reference_{key}"


def score(metric: Metric, sample: VideoSample, folder: Path, lengths: Sequence[int] = (5,)) -> Score:
    """What a metric finds on a sample whose frames come in chunks of these lengths, again and again.

    Raises:
        Skipped: It has no value.
    """
    given = sample.in_memory(folder)
    if skip := metric.check(given):
        raise Skipped(skip.code, skip.reason)
    read = {key: video for key, video in sample.videos.items() if key in metric.spec.keys("video")}
    tracks = {key: Track(video.shape[1], video.shape[2], sample.fps, len(video)) for key, video in read.items()}
    reading = metric.begin(given, SampleVideos(tracks))
    for chunk in chunks(read, lengths):
        if reading.update(chunk):
            break
    return reading.result()


def value_or_reason(metric: Metric, sample: VideoSample, folder: Path) -> Score | Skip:
    """What it finds, or why it finds nothing."""
    try:
        return score(metric, sample, folder)
    except Skipped as skipped:
        return skipped.skip


def chunks(videos: Mapping[str, Video], lengths: Sequence[int]) -> Iterator[Chunk]:
    """As the pass gives them: read-only, and a video that has ended is not there any more."""
    most, start, turn = max(map(len, videos.values()), default=0), 0, 0
    while start < most:
        end = start + lengths[turn % len(lengths)]
        parts = {key: video[start:end] for key, video in videos.items() if start < len(video)}
        for part in parts.values():
            part.flags.writeable = False
        yield Chunk(start, parts, Shared())
        start, turn = end, turn + 1


def samples_for(spec: Spec, folder: Path) -> list[VideoSample]:
    """Two samples that differ in everything, with what a metric needs, and what it compares with where it may.

    Raises:
        ValueError: It needs a file or data, of which only its author knows what they hold.
    """
    wanted = [item for item in spec.inputs if item.required or item.key in ("reference", "reference_audio")]
    if odd := [item.key for item in wanted if item.medium in ("file", "data")]:
        raise ValueError(f"{spec.id} needs {', '.join(odd)}: override the fixture samples with some that have it")
    found = []
    for number, caption in enumerate(("a red kite over the sea", "two dogs in deep snow")):
        videos, keys = {}, dict[str, Any]()
        for place, item in enumerate(wanted):
            seed = 10 * number + place
            if item.medium == "video":
                videos[item.key] = film(seed)
            elif item.medium == "audio":
                keys[item.key] = folder / f"{number} {item.key}.wav"
                write_wav(keys[item.key], beeps(seed), RATE_HZ)
            else:
                keys[item.key] = caption
        found.append(VideoSample(f"sample {number}", videos, keys))
    return found


def film(seed: int) -> Video:
    """Soft colours that wander over a texture: uint8 ``[16, 64, 96, 3]``."""
    random = np.random.default_rng(seed)
    texture = random.normal(0, 25, (HEIGHT // 2, (WIDTH + 2 * FRAMES) // 2, 3)).repeat(2, 0).repeat(2, 1)
    speeds = random.uniform(1, 4, 3)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    clip = np.empty((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    for index, frame in enumerate(clip):
        waves = (columns + speeds[0] * index) / 17, (rows - speeds[1] * index) / 13, (columns - speeds[2] * index) / 31
        colours = np.stack([128 + 70 * np.sin(wave) for wave in waves], axis=-1)
        frame[:] = (colours + texture[:, 2 * index : 2 * index + WIDTH]).clip(0, 255)
    return clip


def beeps(seed: int) -> NDArray[np.float32]:
    """Two seconds of beeps in a noise, float32 ``[1, N]``."""
    seconds = np.arange(2 * RATE_HZ) / RATE_HZ
    tone = np.sin(2 * np.pi * (220 + 60 * seed) * seconds) * (seconds * (2 + seed % 5) % 1 < 0.6)
    return np.asarray(0.4 * tone + np.random.default_rng(seed).normal(0, 0.01, len(seconds)), np.float32)[np.newaxis]
