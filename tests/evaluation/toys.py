# SPDX-License-Identifier: Apache-2.0
"""Metrics that are simple enough to know their values, and some that misbehave. ``_target_`` may name them too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from fvhydra.core.scores import ScoreRow
from fvhydra.metrics.base import Arrays, Chunk, Metric, Reading, SampleVideos, Score, SetMetric, Skip, Skipped
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Input, Spec


class NoAssets:
    """For metrics that load nothing."""

    device = "cpu"

    def path(self, metric: Spec, name: str) -> Path:
        raise AssertionError(f"{metric.id} loads {name}")

    def revision(self, metric: Spec, name: str) -> str | None:
        return None

    def missing(self, metric: Spec) -> Skip | None:
        return None


@dataclass
class Params:
    """What toys can be told."""

    scale: Annotated[float, Field(gt=0)] = 1.0
    parity: str = "upstream"


def described(
    name: str, *keys: str, version: int = 1, least_frames: int = 1, kind: Any = "sample", rule: str = "mean"
) -> Spec:
    return Spec(
        id=f"toy.{name}",
        version=version,
        title=f"The toy {name}",
        kind=kind,
        direction="higher",
        unit="1",
        inputs=tuple(Input(key, "audio" if "audio" in key else "video", least_frames=least_frames) for key in keys),
        params=Params,
        rule=rule,
    )


class Toy(Metric):
    """Mean brightness of the video, 0 to 255, or mean absolute difference from the reference."""

    spec = described("brightness", "video")

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        return Brightness(self, clip)

    def of(self, tracks: Mapping[str, NDArray[np.uint8]]) -> list[float]:
        return [float(frame.mean()) for frame in tracks["video"]]


class Brightness:
    def __init__(self, metric: Toy, clip: SampleVideos) -> None:
        self.metric, self.values, self.next = metric, list[float](), 0

    def update(self, chunk: Chunk) -> None:
        assert chunk.start == self.next
        assert not any(frames.flags.writeable for frames in chunk.tracks.values())
        self.next += max(map(len, chunk.tracks.values()))
        self.values += self.metric.of(chunk.tracks)

    def result(self) -> Score:
        series = {"per_frame": np.asarray(self.values)}
        return Score(self.metric.params.scale * float(np.mean(self.values)), {"frames": len(self.values)}, series)


class Interrupts(Toy):
    """Somebody presses Ctrl-C at the last sample."""

    spec = described("interrupts", "video")

    def check(self, sample: Sample) -> Skip | None:
        if sample.id.startswith("z"):
            raise KeyboardInterrupt
        return super().check(sample)


class Difference(Toy):
    spec = described("difference", "video", "reference")

    def of(self, tracks: Mapping[str, NDArray[np.uint8]]) -> list[float]:
        pairs = zip(tracks["video"], tracks["reference"], strict=True)
        return [float(np.abs(a.astype(int) - b).mean()) for a, b in pairs]


class Free(Toy):
    """Counts the frames of both videos."""

    spec = described("free", "video", "reference")
    alignment = "free"

    def of(self, tracks: Mapping[str, NDArray[np.uint8]]) -> list[float]:
        return [float(len(frames)) for frames in tracks.values()]


class Long(Toy):
    spec = described("long", "video", least_frames=100)


class Breaks(Toy):
    spec = described("breaks", "video")

    def of(self, tracks: Mapping[str, NDArray[np.uint8]]) -> list[float]:
        raise RuntimeError("a bug\nof two lines")


class Nonfinite(Toy):
    spec = described("nonfinite", "video")

    def of(self, tracks: Mapping[str, NDArray[np.uint8]]) -> list[float]:
        return [float("nan")]


class Valueless(Toy):
    """Gives a score without a value, and does not say why."""

    spec = described("valueless", "video")

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        return Given(Score())


class Apart(Toy):
    """Has values only over all samples: the share of the bright ones among all."""

    spec = described("apart", "video", rule="share of the bright ones")

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        bright = bool(self.params.scale > 1)
        return Given(Score(None, {"bright": bright}, undefined="one clip is no share"))

    def corpus(self, rows: Sequence[ScoreRow]) -> Score:
        return Score(sum(row.outputs["bright"] for row in rows) / len(rows))


class Given:
    """Sees nothing and gives what it was given."""

    def __init__(self, score: Score) -> None:
        self.score = score

    def update(self, chunk: Chunk) -> None:
        pass

    def result(self) -> Score:
        return self.score


class Weightless(Toy):
    spec = described("weightless", "video")

    def setup(self) -> None:
        raise Skipped("no_weights", "weights unavailable: toys/none, 1 MB")


class Unpreparable(Toy):
    spec = described("unpreparable", "video")

    def setup(self) -> None:
        raise OSError("the disk is on fire")


class Silent(Toy):
    """Forgets to return a score."""

    spec = described("silent", "video")

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        return None  # type: ignore[return-value]


class Loudness(Metric):
    """Of sound only: the size of its file."""

    spec = described("loudness", "audio")

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        assert not clip.tracks
        return Heard(sample.keys["audio"])


class Heard:
    def __init__(self, path: Path) -> None:
        self.path = path

    def update(self, chunk: Chunk) -> None:
        raise AssertionError("there are no frames to see")

    def result(self) -> Score:
        return Score(float(self.path.stat().st_size))


class Spread(SetMetric):
    """Difference of the mean brightness of the generated and the reference clips, through sums."""

    spec = described("spread", "video", kind="set")

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        return Contribution(sample.role)

    def empty(self) -> Arrays:
        return {"generated": np.zeros(2), "reference": np.zeros(2)}

    def update(self, state: Arrays, contribution: Arrays) -> Arrays:
        return self.merge(state, {**self.empty(), **contribution})

    def merge(self, state: Arrays, other: Arrays) -> Arrays:
        return {side: state[side] + other[side] for side in state}

    def compute(self, state: Arrays) -> Score:
        if not all(state[side][0] for side in state):
            raise Skipped("missing_input", "one side has no samples")
        means = {side: float(state[side][1] / state[side][0]) for side in state}
        return Score(means["generated"] - means["reference"], dict(means))


class Contribution:
    def __init__(self, role: str) -> None:
        self.role, self.values = role, list[float]()

    def update(self, chunk: Chunk) -> None:
        self.values += [float(frame.mean()) for frame in chunk.tracks["video"]]

    def result(self) -> Score:
        return Score(contribution={self.role: np.asarray([1.0, np.mean(self.values)])})


def make(kind: type[Metric], **params: Any) -> Metric:
    return kind(Params(**params), NoAssets())
