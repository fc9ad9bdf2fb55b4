# SPDX-License-Identifier: Apache-2.0
"""Metrics that break one promise each, under their contract. Not collected by name: test_metrics.py runs them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from fvhydra.metrics.base import Arrays, Chunk, Metric, Reading, SampleVideos, Score, SetMetric, Skip, Skipped
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Input, Output, Spec
from fvhydra.testing.metrics import MetricContract


@dataclasses.dataclass
class NoParams:
    pass


def spec(name: str, **facts: Any) -> Spec:
    described: dict[str, Any] = {
        "version": 1,
        "title": "Brightness",
        "kind": "sample",
        "direction": "higher",
        "unit": "1",
        "inputs": (Input("video", "video"),),
        "outputs": (Output("per_frame", per="frame"),),
        "params": NoParams,
        "source": "ours",
        "low": 0.0,
        "high": 255.0,
    }
    return Spec(f"broken.{name}", **described | facts)


class Good(Metric):
    """Mean brightness."""

    spec = spec("good")

    def begin(self, sample: Sample, videos: SampleVideos) -> Reading:
        return Brightness(self)

    def value(self, levels: list[float]) -> Score:
        if not levels:
            raise Skipped("too_short", "there are no frames")
        return Score(float(np.mean(levels)), series={"per_frame": np.asarray(levels)}, frames=len(levels))


class Brightness:
    def __init__(self, metric: Good) -> None:
        self.metric, self.levels, self.chunks = metric, list[float](), 0

    def update(self, chunk: Chunk) -> None:
        self.levels += [float(frame.mean()) for frame in chunk.tracks["video"]]
        self.chunks += 1

    def result(self) -> Score:
        return self.metric.value(self.levels)


class Chunky(Good):
    """Depends on the number of chunks."""

    spec = spec("chunky")

    def begin(self, sample: Sample, videos: SampleVideos) -> Reading:
        class Counting(Brightness):
            def result(self) -> Score:
                found = super().result()
                return dataclasses.replace(found, value=(found.value or 0) + self.chunks)

        return Counting(self)


class Remembers(Good):
    """Adds what it saw before."""

    spec = spec("remembers")
    seen = 0.0

    def value(self, levels: list[float]) -> Score:
        found = super().value(levels)
        self.seen += 1e-6
        return dataclasses.replace(found, value=(found.value or 0) + self.seen)


class Zero(Good):
    """Has a 0 where there is nothing to measure, and where the input is missing."""

    spec = spec("zero")

    def check(self, sample: Sample) -> Skip | None:
        return None

    def value(self, levels: list[float]) -> Score:
        return super().value(levels) if levels else Score(0.0, series={"per_frame": np.empty(0)}, frames=0)


class Writes(Good):
    """Changes the frames that all metrics see."""

    spec = spec("writes")

    def begin(self, sample: Sample, videos: SampleVideos) -> Reading:
        class Dims(Brightness):
            def update(self, chunk: Chunk) -> None:
                chunk.tracks["video"][:] //= 2  # type: ignore[index]
                super().update(chunk)

        return Dims(self)


class Undeclared(Good):
    """Gives what its spec does not say, beyond the range that it says."""

    spec = spec("undeclared", title="Ends in a dot.", high=1.0)

    def value(self, levels: list[float]) -> Score:
        return dataclasses.replace(super().value(levels), outputs={"secret": float("nan")})


class Constant(Good):
    """Measures nothing."""

    spec = spec("constant")

    def value(self, levels: list[float]) -> Score:
        return dataclasses.replace(super().value(levels), value=1.0)


class Order(SetMetric):
    """Its value depends on which state comes first, and an empty set has one."""

    spec = spec("order", kind="set", outputs=())

    def begin(self, sample: Sample, videos: SampleVideos) -> Reading:
        class Contributes(Brightness):
            def result(self) -> Score:
                return Score(contribution={"level": np.asarray([np.mean(self.levels)])})

        return Contributes(Good(self.params, self.assets))

    def empty(self) -> Arrays:
        return {"level": np.zeros(0)}

    def update(self, state: Arrays, contribution: Arrays) -> Arrays:
        return self.merge(state, contribution)

    def merge(self, state: Arrays, other: Arrays) -> Arrays:
        return {"level": np.concatenate([state["level"], other["level"]])}

    def compute(self, state: Arrays) -> Score:
        return Score(float(state["level"][0]) if len(state["level"]) else 0.0)


METRICS = (Good, Chunky, Remembers, Zero, Writes, Undeclared, Constant, Order)


def _contract(found: type[Metric]) -> type[MetricContract]:
    facts = {"metric": found.spec.id, "target": f"{__name__}.{found.__name__}", "__module__": __name__}
    return type(f"Test{found.__name__}", (MetricContract,), facts)


globals().update({held.__name__: held for held in map(_contract, METRICS)})
