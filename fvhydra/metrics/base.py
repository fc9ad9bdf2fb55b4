# SPDX-License-Identifier: Apache-2.0
"""The contract of a metric.

A clip is decoded once and shown to every metric in chunks, so a metric never sees a whole video unless it keeps one::

    metric = SomeMetric(params, assets)
    skip = metric.check(sample)                  # before any decoding; None: go on
    reading = metric.begin(sample, clip)         # one sample
    for chunk in chunks:
        reading.update(chunk)
    score = reading.result()

A *set* metric's score carries a contribution (features) instead of a value. Contributions of all samples become a
state; states of shards merge in any order and are what is kept on disk.

Metrics of one sample run side by side in threads, each seeing the chunks in order. What several of them need (grey
frames, motion masks, features of the same network) is computed once through :class:`Shared`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from threading import Lock
from typing import Any, ClassVar, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from fvhydra.core.scores import ScoreRow
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Spec

T = TypeVar("T")

Arrays = Mapping[str, NDArray[Any]]

Code = Literal[
    "missing_input", "too_short", "shape", "nonfinite", "no_weights", "no_dependency", "unreadable", "remote_error",
    "filtered",
]  # fmt: skip
"""Why there is no value; closed, so that results can be counted by it. ``shape``: sizes, lengths or rates differ.
``filtered``: a benchmark's own rule leaves the clip out."""

Alignment = Literal["strict", "truncate", "free"]
"""What becomes of videos of one sample that differ in length, size or rate. ``strict``: the metric is skipped, with the
two lengths. ``truncate``: what the longer ones have beyond the shortest is left out (sizes must agree all the same).
``free``: the metric sees each video to its own end."""


@dataclass(frozen=True)
class Skip:
    """A sample has no value under a metric, and why; never replaced by a value such as 0 or 1."""

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


class Shared:
    """Values that several metrics need. Each is computed by the first thread that asks for it; others wait for it.

    Example:
        >>> shared = Shared()
        >>> shared("answer", lambda: 42), shared("answer", lambda: 43)
        (42, 42)
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._values: dict[Hashable, Future[Any]] = {}

    def __call__(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of ``key``. When ``make`` raises, it is raised for everybody who asks."""
        with self._lock:
            value = self._values.get(key)
            first = value is None
            if value is None:
                value = self._values[key] = Future()
        if first:
            try:
                value.set_result(make())
            except BaseException as error:
                value.set_exception(error)
        return value.result()  # type: ignore[no-any-return]  # as what make returned

    def __reduce__(self) -> tuple[type[Shared], tuple[()]]:
        """Pickled without its values: another process starts with none."""
        return Shared, ()

    def clear(self) -> None:
        """Drop all values, which may refer to their clip: a cycle that is freed late otherwise."""
        self._values.clear()


@dataclass(frozen=True)
class SampleVideos:
    """A sample while it is read.

    Attributes:
        tracks: What the headers of its videos say, by key.
        shared: What its metrics share from the first chunk to the last, such as the state of motion masks. Not safe to
            change from two metrics at once: change it only inside of ``chunk.shared(...)``, which runs once a chunk.
    """

    tracks: Mapping[str, Track]
    shared: Shared = field(default_factory=Shared)


@dataclass(frozen=True)
class Chunk:
    """The next frames of the videos of a sample.

    Attributes:
        start: Index of the first frame.
        tracks: uint8 ``[n, H, W, 3]`` RGB by the key of the sample (``video``, ``reference``, ...), read-only: all
            metrics see the same arrays. Unless a metric is aligned ``free``, all its videos are there with equal ``n``.
        shared: What metrics compute of these frames together.
    """

    start: int
    tracks: Mapping[str, NDArray[np.uint8]]
    shared: Shared = field(default_factory=Shared)


@dataclass(frozen=True)
class Score:
    """What a metric found on one sample.

    Attributes:
        value: The primary value; None for a set metric. Finite, or the infinity that ``Spec.ideal`` is.
        outputs: Further values by name, JSON.
        series: Arrays of a value a frame or a pair of frames, float, by name.
        frames: How many frames were used.
        contribution: What a set metric adds to its state.
        undefined: Why the sample has no value of its own, although what was measured on it counts in the value over all
            samples; empty where it has one.
    """

    value: float | None = None
    outputs: dict[str, Any] = field(default_factory=dict)
    series: dict[str, NDArray[np.floating]] = field(default_factory=dict)
    frames: int | None = None
    contribution: dict[str, NDArray[Any]] = field(default_factory=dict)
    undefined: str = ""


class Reading(Protocol):
    """One clip on its way through a metric."""

    def update(self, chunk: Chunk) -> bool | None:
        """See the next frames. May raise :class:`Skipped`; any other exception is this metric's failure, no other's.

        Returns:
            True when it has seen enough: what comes later does not matter to it, damage included.
        """

    def result(self) -> Score:
        """After the last chunk. May raise :class:`Skipped`."""


class Assets(Protocol):
    """Where a metric's weights come from; one for all metrics of a process, so that equal weights are loaded once."""

    @property
    def device(self) -> str:
        """Where networks run, as torch names it."""

    @property
    def memory_mb(self) -> int:
        """About what one batch may take in a network."""

    @property
    def cache_dir(self) -> Path:
        """For features, which are costly and the same for equal clips. All of it can be deleted at any time."""

    @property
    def networks(self) -> Shared:
        """Loaded networks, so that metrics share them: ``assets.networks("lpips", load)``."""

    def path(self, metric: Spec, name: str) -> Path:
        """The folder or file of an asset, fetched if need be.

        Raises:
            Skipped: ``no_weights``; says the repository, its size, and how to get it.
        """

    def revision(self, metric: Spec, name: str) -> str | None:
        """What exactly :meth:`path` gave: a commit, ``sha256:...`` of files, ``tiny:...`` of random ones. None before.

        Scores from ``tiny:`` weights mean nothing, and are marked wherever they are shown.
        """

    def missing(self, metric: Spec) -> Skip | None:
        """Why the metric's weights, with its default parameters, are not on this machine. Only looks."""


class Metric(ABC):
    """A metric. Instances hold parameters and models, nothing of the samples."""

    spec: ClassVar[Spec]

    def __init__(self, params: Any, assets: Assets) -> None:
        """Keep parameters and assets. Models are loaded in :meth:`setup`, not here."""
        self.params = params
        self.assets = assets

    @property
    def comparable_to(self) -> tuple[str, ...]:
        """Published tables that values with these parameters may stand in."""
        return self.spec.comparable_to

    @property
    def alignment(self) -> Alignment:
        """``strict``, and ``truncate`` with a parameter ``parity=peer``, which is FastVideo's way."""
        return "truncate" if getattr(self.params, "parity", None) == "peer" else "strict"

    def setup(self) -> None:  # noqa: B027  nothing to load is a fine default
        """Load models, once a process.

        Raises:
            Skipped: ``no_weights`` or ``no_dependency``: every sample is skipped with this reason.
        """

    def weights(self, name: str) -> Path:
        """The folder or file of one of its assets, with its parameters.

        Raises:
            Skipped: ``no_weights``.
        """
        return self.assets.path(replace(self.spec, assets=self.spec.loads(self.params)), name)

    def check(self, sample: Sample) -> Skip | None:
        """Whether the sample has what the metric declares; nothing is decoded. Extend it for further needs."""
        missing = [item.key for item in self.spec.inputs if item.required and sample.keys.get(item.key) is None]
        if missing:
            return Skip("missing_input", f"the sample has no {' and no '.join(missing)}")
        return None

    @abstractmethod
    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        """Start on one sample. Several may be on their way at once, in threads.

        Raises:
            Skipped: The headers show that there is no value.
        """

    def corpus(self, rows: Sequence[ScoreRow]) -> Score:
        """The value over all samples; needs no model. Their mean, unless ``Spec.rule`` names another rule.

        Args:
            rows: This metric's rows that are ``ok``, one or more, sorted by sample. Values are None where infinite,
                or not defined for a sample alone.

        Raises:
            Skipped: They do not suffice for a value.
        """
        values = [row.value for row in rows if row.value is not None]
        if not values:
            raise Skipped("nonfinite", "no sample has a finite value")
        return Score(fmean(values))


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
