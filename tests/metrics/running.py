# SPDX-License-Identifier: Apache-2.0
"""Metrics without files: clips in memory, shown in chunks of any length."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fvhydra.metrics.base import Chunk, Metric, SampleVideos, Score, Shared, Skip, Skipped, Track
from fvhydra.metrics.catalogue import metric_class
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Spec

Video = NDArray[np.uint8]


class NoAssets:
    """For metrics that load nothing."""

    device = "cpu"

    def path(self, metric: Spec, name: str) -> Path:
        raise AssertionError(f"{metric.id} loads {name}")

    def revision(self, metric: Spec, name: str) -> str | None:
        return None

    def missing(self, metric: Spec) -> Skip | None:
        return None


def make(metric: str, **params: Any) -> Metric:
    """A metric of the catalogue."""
    found = metric_class(metric)
    return found(found.spec.params(**params), NoAssets())


def chunks(videos: Mapping[str, Video], length: int) -> Iterator[Chunk]:
    """As the pass gives them: a video that has ended is not there any more."""
    for start in range(0, max(map(len, videos.values()), default=0), length):
        parts = {key: video[start : start + length] for key, video in videos.items() if start < len(video)}
        yield Chunk(start, parts, Shared())


def run(
    metrics: Sequence[Metric], keys: Mapping[str, Any] | None = None, fps: float = 24, chunk: int = 3, **videos: Video
) -> list[Score]:
    """What several metrics find on one sample, in one pass over it.

    Raises:
        Skipped: One of them has no value.
    """
    sample = Sample("a", {**dict.fromkeys(videos, Path("a.mp4")), **(keys or {})})
    clip = SampleVideos({key: Track(*video.shape[1:3], fps, len(video)) for key, video in videos.items()})
    for metric in metrics:
        if skip := metric.check(sample):
            raise Skipped(skip.code, skip.reason)
    readings = [metric.begin(sample, clip) for metric in metrics]
    for part, reading in itertools.product(chunks(videos, chunk), readings):
        reading.update(part)
    return [reading.result() for reading in readings]


def score(metric: Metric, keys: Mapping[str, Any] | None = None, **rest: Any) -> Score:
    """The same for one metric."""
    return run([metric], keys, **rest)[0]


@contextlib.contextmanager
def skips(code: str, reason: str = "") -> Iterator[None]:
    """The block must skip with this code, and with words of the reason."""
    try:
        yield
    except Skipped as error:
        assert (error.skip.code, reason in error.skip.reason) == (code, True), error.skip
    else:
        raise AssertionError(f"did not skip with {code}")
