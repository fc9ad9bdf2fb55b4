# SPDX-License-Identifier: Apache-2.0
"""Small takes that all metrics are tried on, and what a metric makes of them."""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fvhydra.core.scores import ScoreRow
from fvhydra.media.audio import write_wav
from fvhydra.metrics.base import Assets, Metric, Score, SetMetric, Skipped, Track
from fvhydra.metrics.base import SampleVideos as Reel
from fvhydra.metrics.catalogue import metric_class
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Spec
from fvhydra.testing.samples import VideoSample
from tests.metrics.mutations import RATE_HZ, SampleVideos, Sound, Take, blur, shift_audio, swap_captions
from tests.metrics.running import chunks

FRAMES, HEIGHT, WIDTH, FPS = 16, 64, 96, 8
CAPTIONS = ("a red kite over the sea", "two dogs in deep snow")
PAN_PX = 2


def _picture(seed: int) -> SampleVideos:
    """A wide picture of blocks, softly shaded, in a colour of its own."""
    rng = np.random.default_rng(seed)
    blocks = rng.normal(0, 30, (HEIGHT // 4, (WIDTH + FRAMES * PAN_PX) // 4, 3)).repeat(4, 0).repeat(4, 1)
    colour = 60 + 130 * rng.random(3)
    return np.asarray(cv2.GaussianBlur((blocks + colour).clip(0, 255).astype(np.uint8), (0, 0), 1))


def _film(seed: int) -> SampleVideos:
    """The camera goes to the right over the picture, and a lighter square crosses it downwards."""
    picture, frames = _picture(seed), []
    for index in range(FRAMES):
        frame = picture[:, index * PAN_PX : index * PAN_PX + WIDTH].copy()
        top, left = (index * 2 + 7 * seed) % (HEIGHT - 14), 20 + 15 * seed
        frame[top : top + 14, left : left + 14] = frame[top : top + 14, left : left + 14] // 3 + 150
        frames.append(frame)
    return np.stack(frames)


def _sound(seed: int) -> Sound:
    """Beeps of one height, with pauses."""
    seconds = np.arange(FRAMES * RATE_HZ // FPS) / RATE_HZ
    beeps = np.sin(2 * np.pi * (220 * 2**seed) * seconds) * (seconds * (2 + seed) % 1 < 0.6)
    noise = np.random.default_rng(seed).normal(0, 0.01, len(seconds))
    return np.asarray(0.4 * beeps + noise, np.float32)


@functools.cache
def takes() -> tuple[Take, ...]:
    """Two that differ in everything."""
    return tuple(Take(_film(seed), _sound(seed), caption) for seed, caption in enumerate(CAPTIONS))


class Stage:
    """Where metrics look at takes, whose references are the untouched ones.

    Args:
        folder: For files that metrics read.
        assets: Where weights come from.
    """

    def __init__(self, folder: Path, assets: Assets) -> None:
        self._folder = folder
        self._assets = assets
        self._references = takes()
        self._metrics: dict[str, Metric] = {}
        self._scores: dict[tuple[str, str], Score | None] = {}

    def scores(self, metric: str, shown: Sequence[Take]) -> list[Score | None]:
        """What a metric finds on each take; None where it has no value."""
        return [self._score(self._made(metric), *pair) for pair in zip(shown, self._references, strict=True)]

    def value(self, metric: str, shown: Sequence[Take]) -> float | None:
        """Its value over all takes; None where one of them has none."""
        made, scores = self._made(metric), []
        for score in self.scores(metric, shown):
            if score is None:
                return None
            scores.append(score)
        if isinstance(made, SetMetric):
            state = made.empty()
            for score in scores:
                state = made.update(state, score.contribution)
            return made.compute(state).value
        rows = [
            ScoreRow(str(number), metric, 1, "", "", "ok", score.value, outputs=score.outputs, frames=score.frames)
            for number, score in enumerate(scores)
        ]
        finite = [row for row in rows if row.value != math.inf]  # the others are in no mean
        return made.corpus(finite).value if finite else math.inf

    def right(self, metric: str) -> Sequence[Take]:
        """The takes without a mutation. A random network has to be asked which captions are the right ones."""
        own, spec = takes(), metric_class(metric).spec
        if not spec.loads(spec.params()) or not spec.keys("text"):
            return own
        swapped = swap_captions(own)
        return max(own, swapped, key=lambda shown: self.value(metric, shown) or 0.0)

    def reads(self, metric: str, before: Sequence[Take], after: Sequence[Take]) -> bool:
        """Whether the two differ in anything that the metric reads."""
        contents = [
            [self._content(metric, *pair) for pair in zip(shown, self._references, strict=True)]
            for shown in (before, after)
        ]
        return contents[0] != contents[1]

    def _made(self, metric: str) -> Metric:
        if metric not in self._metrics:
            found = metric_class(metric)
            self._metrics[metric] = found(found.spec.params(), self._assets)
            self._metrics[metric].setup()
        return self._metrics[metric]

    def _content(self, metric: str, take: Take, reference: Take) -> str:
        keys = [item.key for item in metric_class(metric).spec.inputs]
        return Sample("a", dict(keys_of(take, reference, self._folder))).content(keys)

    def _score(self, metric: Metric, take: Take, reference: Take) -> Score | None:
        key = metric.spec.id, self._content(metric.spec.id, take, reference)
        if key not in self._scores:
            try:
                self._scores[key] = self._measured(metric, take, reference)
            except Skipped:
                self._scores[key] = None
        return self._scores[key]

    def _measured(self, metric: Metric, take: Take, reference: Take) -> Score:
        videos = {"video": take.video, "reference": reference.video, "reference_take2": _again(reference.video)}
        videos = {key: video for key, video in videos.items() if key in metric.spec.keys("video")}
        sample = Sample("a", dict(keys_of(take, reference, self._folder)))
        reel = Reel({key: Track(*video.shape[1:3], FPS, len(video)) for key, video in videos.items()})
        if skip := metric.check(sample):
            raise Skipped(skip.code, skip.reason)
        reading = metric.begin(sample, reel)
        for chunk in chunks(videos, 10):
            reading.update(chunk)
        return reading.result()


def _again(video: SampleVideos) -> SampleVideos:
    """A second take: a little later."""
    return np.concatenate([video[:1], video[:-1]])


def _flow(video: SampleVideos) -> Any:
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    greys = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in video]
    return np.stack([dis.calc(before, after, None) for before, after in itertools.pairwise(greys)])


def keys_of(take: Take, reference: Take, folder: Path) -> Iterator[tuple[str, Any]]:
    """All that any metric reads of a take; files are written into ``folder``."""
    for prefix, each in (("", take), ("reference_", reference)):
        yield prefix.rstrip("_") or "video", _file(folder, each.video, "bin")
        yield f"{prefix}audio", _file(folder, each.audio, "wav")
        yield f"{prefix}flow", _file(folder, _flow(each.video), "npy")
    yield "reference_take2", _file(folder, _again(reference.video), "bin")
    yield "text_prompt", take.caption
    yield "reference_text", take.caption
    yield "transcript", reference.caption
    yield "actions", {"keyboard": [[0, 0, 0, 1, 0, 0]] * FRAMES, "mouse": [[0, 0]] * FRAMES}
    yield (
        "calibration",
        dict.fromkeys(("alpha_yaw", "alpha_pitch", "alpha_turn", "beta_fwd"), 0.0)
        | {
            "beta_strafe": PAN_PX / 100,
            "focal_length": 100.0,
        },
    )
    yield "auxiliary_info", {"appearance_style": "oil painting"}
    yield "audio_features", _file(folder, _features(take.audio), "npy")
    yield "reference_audio_features", _file(folder, _features(reference.audio), "npy")
    yield "judgements", [{"first": "candidate", "answer": "video_1"}, {"first": "baseline", "answer": "video_2"}]


def _file(folder: Path, content: Any, kind: str) -> Path:
    """A file of bytes, of an array, or of a sound; the same for the same content."""
    path = folder / f"{hashlib.sha256(content.tobytes()).hexdigest()[:16]}.{kind}"
    if path.exists():
        return path
    if kind == "wav":
        write_wav(path, content[None], RATE_HZ)
    elif kind == "npy":
        np.save(path, content)
    else:
        path.write_bytes(content.tobytes())
    return path


def _features(audio: Sound) -> Any:
    """What a network might make of a sound: float64 ``[2, 3]``."""
    return np.abs(audio[: len(audio) // 6 * 6]).reshape(2, 3, -1).mean(axis=-1, dtype=np.float64)


def unlike() -> list[tuple[Take, Take]]:
    """Two pairs of a take and a reference: the first is near its reference, the second has nothing of it."""
    first, second = takes()
    near = Take(blur(first.video), shift_audio([first])[0].audio, first.caption)
    return [(near, first), (first, second)]


def longer(take: Take, times: int) -> Take:
    """Forth and back, so that nothing jumps."""
    video = np.concatenate([take.video[:: 1 - 2 * (turn % 2)] for turn in range(times)])
    return Take(video, np.tile(take.audio, times), take.caption)


def video_sample(spec: Spec, take: Take, reference: Take, folder: Path, number: int) -> VideoSample:
    """What a metric reads of a take, with its videos in memory."""
    videos = {"video": take.video, "reference": reference.video, "reference_take2": _again(reference.video)}
    read = {item.key for item in spec.inputs}
    keys = {key: value for key, value in keys_of(take, reference, folder) if key in read and key not in videos}
    if "judgements" in read and number:
        keys["judgements"] = [{"first": first, "answer": "video_1"} for first in ("candidate", "baseline")]
    return VideoSample(f"sample {number}", {key: video for key, video in videos.items() if key in read}, keys, FPS)
