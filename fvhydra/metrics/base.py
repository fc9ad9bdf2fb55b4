"""The contract of a metric.

A clip is decoded once and shown to every metric in chunks, so a metric never sees a whole video unless it keeps one::

    metric = SomeMetric(params, assets)
    skip = metric.check(sample)                  # before any decoding; None: go on
    reading = metric.begin(sample, facts)        # one clip
    for chunk in chunks:
        reading.update(chunk)
    score = reading.result()

A *set* metric's score carries a contribution (features) instead of a value. Contributions of all samples become a
state; states of shards merge in any order and are what is kept on disk.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Spec

Arrays = Mapping[str, NDArray[Any]]

Code = Literal[
    "missing_input", "too_short", "shape", "nonfinite", "no_weights", "no_dependency", "unreadable", "remote_error",
    "role", "planned",
]  # fmt: skip
"""Why there is no value; closed, so that results can be counted by it."""


@dataclass(frozen=True)
class Skip:
    """A metric has nothing to say of a sample, and why. Never a 0 or a 1 in its place."""

    code: Code
    reason: str


class Skipped(Exception):
    """Raised by :meth:`Reading.update` or :meth:`Reading.result` when only the frames show that there is no value."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.skip = Skip(code, reason)


@dataclass(frozen=True)
class Track:
    """What is known of a sample's video before it is decoded.

    Attributes:
        height: Rows.
        width: Columns.
        fps: Frames a second.
        frames: As the container says, which may be wrong, or None.
    """

    height: int
    width: int
    fps: float
    frames: int | None


@dataclass(frozen=True)
class Chunk:
    """The next frames of all videos of a sample.

    Attributes:
        start: Index of the first frame.
        tracks: uint8 ``[n, H, W, 3]`` RGB by the key of the sample (``video``, ``reference``, ...). Every video that
            has frames at these indices is there; the shorter ones end earlier. Shared by all metrics: read-only.
    """

    start: int
    tracks: Mapping[str, NDArray[np.uint8]]


@dataclass(frozen=True)
class Score:
    """What a metric found on one sample.

    Attributes:
        value: The primary value; None for a set metric.
        outputs: Further values by name, JSON.
        series: Arrays of a value a frame or a pair of frames, float, by name.
        frames: How many frames were used.
        contribution: What a set metric adds to its state.
    """

    value: float | None = None
    outputs: dict[str, Any] = field(default_factory=dict)
    series: dict[str, NDArray[np.floating]] = field(default_factory=dict)
    frames: int | None = None
    contribution: dict[str, NDArray[Any]] = field(default_factory=dict)


class Reading(Protocol):
    """One clip on its way through a metric."""

    def update(self, chunk: Chunk) -> None:
        """See the next frames. May raise :class:`Skipped`; any other exception is this metric's failure, no other's."""

    def result(self) -> Score:
        """After the last chunk. May raise :class:`Skipped`."""


class Assets(Protocol):
    """Where a metric's weights come from; one for all metrics of a process, so that equal weights are loaded once."""

    device: str

    def path(self, metric: Spec, name: str) -> Path:
        """The folder or file of an asset, fetched if need be.

        Raises:
            Skipped: ``no_weights``; says the repository, its size, and how to get it.
        """


class Metric(ABC):
    """A metric. Instances hold parameters and models, nothing of the samples."""

    spec: ClassVar[Spec]

    def __init__(self, params: Any, assets: Assets) -> None:
        """Keep them; load models at the first :meth:`begin`, or in :meth:`prepare`."""
        self.params = params
        self.assets = assets

    def prepare(self) -> None:  # noqa: B027  nothing to load is a fine default
        """Load models, once a process.

        Raises:
            Skipped: ``no_weights`` or ``no_dependency``: every sample is skipped with this reason.
        """

    def check(self, sample: Sample) -> Skip | None:
        """Whether the sample has what the metric declares; nothing is decoded. Extend it for further needs."""
        missing = [item.key for item in self.spec.inputs if item.required and sample.keys.get(item.key) is None]
        if sample.role == "reference" and self.spec.kind == "sample":
            return Skip("role", "the sample is only part of the reference set")
        if missing:
            return Skip("missing_input", f"the sample has no {' and no '.join(missing)}")
        return None

    @abstractmethod
    def begin(self, sample: Sample, tracks: Mapping[str, Track]) -> Reading:
        """Start on one clip. Several clips may be on their way at once, in threads.

        Raises:
            Skipped: The headers show that there is no value (other sizes, too few frames).
        """


class SetMetric(Metric):
    """A metric of all samples together. State in and state out: arrays, so that a state is an ``.npz``."""

    @abstractmethod
    def empty(self) -> Arrays:
        """The state of no samples."""

    @abstractmethod
    def update(self, state: Arrays, contribution: Arrays) -> Arrays:
        """The state with one more sample."""

    @abstractmethod
    def merge(self, state: Arrays, other: Arrays) -> Arrays:
        """The state of the samples of both; associative and commutative up to rounding, needs no model."""

    @abstractmethod
    def compute(self, state: Arrays) -> Score:
        """The value of a state; needs no model.

        Raises:
            Skipped: Too few samples, or one side has none.
        """
