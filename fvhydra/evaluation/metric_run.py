# SPDX-License-Identifier: Apache-2.0
"""One metric on one sample. An error of one metric stays in its own run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from fvhydra.core.errors import FvhydraError
from fvhydra.core.scores import INFINITE, UNDEFINED, ScoreRow
from fvhydra.evaluation.clip_reader import ClipReader
from fvhydra.evaluation.metric_setup import LoadedMetric, raise_if_full
from fvhydra.media.video import same_rate
from fvhydra.metrics.base import Alignment, Chunk, Reading, SampleVideos, Score, Shared, Skip, Skipped, Track
from fvhydra.metrics.sample import Sample

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Outcome:
    """A row, and the arrays that belong to it."""

    row: ScoreRow
    series: dict[str, NDArray[Any]] = field(default_factory=dict)
    contribution: dict[str, NDArray[Any]] = field(default_factory=dict)


class MetricRun:
    """A metric on its way through a sample: ``check``, ``begin``, ``update`` with each chunk, ``finish``.

    Attributes:
        keys: The sample's videos that the metric reads.
        outcome: What came of it; None while it is on its way.
        cost: CPU seconds so far, without those spent waiting for what another metric computes for both.
    """

    def __init__(self, loaded: LoadedMetric, sample: Sample, content: str) -> None:
        self._loaded, self._sample, self._content = loaded, sample, content
        self._metric = loaded.metric
        self.keys = tuple(key for key in self._metric.spec.keys("video") if sample.keys.get(key) is not None)
        self.outcome: Outcome | None = None
        self._reading: Reading | None = None
        self._frames = 0
        self._closed = self._enough = False
        self._seconds = self.cost = 0.0

    @property
    def wants_frames(self) -> bool:
        """Whether the metric still reads frames."""
        return self._reading is not None and bool(self.keys) and not self._closed

    @property
    def divided(self) -> bool:
        """Whether another run does a part of its work, see :class:`~fvhydra.metrics.series.SeriesReading`."""
        return getattr(self._reading, "divided", False)

    def check(self) -> None:
        """Skip or fail the sample before anything is decoded, where that is known already."""
        if self._loaded.error is not None:
            self._fail(self._loaded.error)
        elif self._sample.problem:
            self._skip(Skip("unreadable", self._sample.problem))
        elif skip := self._loaded.skip or self._guarded(self._metric.check, self._sample) or self._lost_file():
            self._skip(skip)

    def begin(self, reader: ClipReader, clip: SampleVideos) -> None:
        """Start the metric, when the first frames are decoded and the sizes and rates are known."""
        if self._is_unreadable(reader):
            return
        tracks = {key: clip.tracks[key] for key in self.keys}
        if difference := _difference(tracks, self._metric.alignment):
            self._skip(Skip("shape", difference))
            return
        self._reading = self._guarded(self._metric.begin, self._sample, SampleVideos(tracks, clip.shared))

    def update(self, chunk: Chunk, reader: ClipReader) -> None:
        """Give the metric the next frames."""
        if not self.wants_frames or self._is_unreadable(reader):
            return
        own = self._aligned(chunk, reader)
        if own is not None and own.tracks:
            self._frames += max(map(len, own.tracks.values()))
            assert self._reading is not None
            if self._guarded(self._reading.update, own):
                self._enough = self._closed = True

    def finish(self, reader: ClipReader) -> None:
        """Take the metric's score after the last frames."""
        if self._reading is None or (not self._enough and self._is_unreadable(reader)):
            return
        for item in self._metric.spec.inputs:
            if item.key in self.keys and (frames := min(self._frames, reader.counts[item.key])) < item.least_frames:
                self._skip(Skip("too_short", f"{item.key} has {frames} frame(s), {item.least_frames} are needed"))
                return
        score = self._guarded(self._reading.result)
        if score is not None:
            self._keep(score)

    def _lost_file(self) -> Skip | None:
        given = (self._sample.keys.get(item.key) for item in self._metric.spec.inputs)
        lost = [str(path) for path in given if isinstance(path, Path) and not path.exists()]
        return Skip("unreadable", f"There is no file {', '.join(lost)}.") if lost else None

    def _is_unreadable(self, reader: ClipReader) -> bool:
        broken = [reader.errors[key].message for key in self.keys if key in reader.errors]
        if broken:
            self._skip(Skip("unreadable", " ".join(broken)))
        return bool(broken)

    def _aligned(self, chunk: Chunk, reader: ClipReader) -> Chunk | None:
        """What the metric sees of a chunk; None when its videos are of other lengths and it is skipped for that."""
        own = {key: chunk.tracks[key] for key in self.keys if key in chunk.tracks}
        shortest = min(len(own.get(key, ())) for key in self.keys)
        equal = all(len(frames) == shortest for frames in own.values())
        if equal or self._metric.alignment == "free":
            return Chunk(chunk.start, own, chunk.shared)
        if self._metric.alignment == "strict":
            counted = (f"{key} {reader.counts[key]}{' or more' if key in own else ''}" for key in self.keys)
            self._skip(Skip("shape", f"the frame counts differ: {', '.join(counted)}"))
            return None
        self._closed = True
        if not shortest:
            return None
        # what is shared of the whole chunk is of more frames than these
        shared = chunk.shared(("first frames", shortest), Shared)
        return Chunk(chunk.start, {key: frames[:shortest] for key, frames in own.items()}, shared)

    def fail(self, error: Exception) -> None:
        """End the run with an error of the whole sample, unless it has ended already."""
        if self.outcome is None:
            self._fail(error)

    def _guarded(self, step: Callable[P, T], *given: P.args, **named: P.kwargs) -> T | None:
        """Run a step of the metric; what it raises ends this run and nothing else."""
        started, worked = time.perf_counter(), time.thread_time()
        try:
            return step(*given, **named)
        except Skipped as skipped:
            self._skip(skipped.skip)
        except Exception as error:
            raise_if_full(error, self._metric)
            self._fail(error)
        finally:
            self._seconds += time.perf_counter() - started
            self.cost += time.thread_time() - worked
        return None

    def _keep(self, score: Score) -> None:
        spec = self._metric.spec
        infinite = score.value is not None and not math.isfinite(score.value)
        if infinite and score.value != spec.ideal:
            self._skip(Skip("nonfinite", f"the value is {score.value}"))
            return
        if spec.kind == "sample" and score.value is None and not score.undefined:
            self._fail(ValueError("the metric gave neither a value nor a reason why there is none"))
            return
        code, message = (UNDEFINED, score.undefined) if score.undefined else ("", "")
        if infinite:
            code, message = INFINITE, "the value is infinite, as of a clip that equals its reference"
        series = {name: np.asarray(values) for name, values in score.series.items()}
        row = self._row(
            status="ok",
            value=None if score.value is None or infinite else float(score.value),
            code=code,
            message=message,
            outputs={name: finite(value) for name, value in score.outputs.items()},
            series=sorted(series),
            frames=self._frames if score.frames is None else score.frames,
        )
        self.outcome = Outcome(row, series, dict(score.contribution))

    def _skip(self, skip: Skip) -> None:
        self._reading = None
        self.outcome = Outcome(self._row(status="skipped", code=skip.code, message=skip.reason))

    def _fail(self, error: Exception) -> None:
        self._reading = None
        message = error.message if isinstance(error, FvhydraError) else f"{type(error).__name__}: {error}"
        self.outcome = Outcome(self._row(status="failed", code="error", message=message.partition("\n")[0]))

    def _row(self, **found: Any) -> ScoreRow:
        spec = self._metric.spec
        return ScoreRow(
            sample=self._sample.id,
            metric=spec.id,
            version=spec.version,
            params=self._loaded.digest,
            content=self._content,
            seconds=round(self._seconds, 6),
            **shown(self._sample),
            **found,
        )


def shown(sample: Sample) -> dict[str, Any]:
    """The fields of a row that describe its sample for reports; they decide no score."""
    clips = {key: str(sample.keys[key]) for key in ("video", "reference", "audio") if sample.keys.get(key) is not None}
    return {
        "clips": clips,
        "fps": sample.rate if sample.has_frame_folder(clips) else None,
        "prompt": str(sample.keys.get("text_prompt") or ""),
        "tags": list(sample.tags),
    }


def _difference(tracks: Mapping[str, Track], alignment: Alignment) -> str:
    """Why videos cannot be measured against each other, as far as their first frames and headers tell."""
    if alignment == "free" or len(tracks) < 2:
        return ""
    first, *others = tracks.values()
    if any((track.height, track.width) != (first.height, first.width) for track in others):
        listed = ", ".join(f"{key} {track.height}x{track.width}" for key, track in tracks.items())
        return f"the sizes differ: {listed}"
    if alignment == "strict" and not all(same_rate(track.fps, first.fps) for track in others):
        return f"the frame rates differ: {', '.join(f'{key} {track.fps:g} fps' for key, track in tracks.items())}"
    return ""


def finite(value: Any) -> Any:
    """The value with NaN and infinity replaced by None, since JSON has neither."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
