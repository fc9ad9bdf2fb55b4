# SPDX-License-Identifier: Apache-2.0
"""The pass: every sample decoded once, seen by all metrics, several samples at a time."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event, Lock
from typing import Protocol

import cv2

from fvhydra.core.errors import InfrastructureError, MediaError
from fvhydra.evaluation.clip_reader import open_clips
from fvhydra.evaluation.metric_run import MetricRun, Outcome
from fvhydra.evaluation.metric_setup import LoadedMetric
from fvhydra.media.audio import has_sound
from fvhydra.metrics.base import SampleVideos
from fvhydra.metrics.sample import Sample

_LIGHT = 0.01
"""Of the slowest run's cost."""


class Stop(Protocol):
    """An event that tells workers to stop, shared by threads or by processes."""

    def is_set(self) -> bool:
        """Whether the evaluation was interrupted."""


class _Stopped(Exception):
    """Raised inside a worker when the evaluation is interrupted; the sample gets no outcome."""


class ComputePool:
    """Threads that compute for a sample while there are fewer samples than threads.

    With as many samples on their way each computes in its own thread: handing single steps to others would cost more
    than it brings.
    """

    def __init__(self, workers: int) -> None:
        self._pool = ThreadPoolExecutor(workers, "compute")
        self._idle = workers
        self._lock = Lock()

    def __enter__(self) -> ComputePool:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Count one more sample as being scored, for the length of the block."""
        with self._lock:
            self._idle -= 1
        try:
            yield
        finally:
            with self._lock:
                self._idle += 1

    def run(self, steps: Sequence[Callable[[], None]], alone: bool = False) -> None:
        """Run steps, side by side if threads are idle and ``alone`` is not asked for."""
        if alone or self._idle < 1 or len(steps) < 2:
            for step in steps:
                step()
        else:
            for future in [self._pool.submit(step) for step in steps]:
                future.result()


Work = tuple[Sample, Mapping[str, str], Sequence[LoadedMetric]]
"""A sample, the content of what each metric reads of it, and the metrics to run on it."""


@dataclass(frozen=True)
class Resources:
    """The resources that scoring may use.

    Attributes:
        workers: Samples at a time, and threads or processes that compute. Decoding has threads of its own, which wait
            while the frames are not taken.
        memory_mb: For the decoded frames of one sample.
        torch_threads: Inside of each network; 0 leaves torch's default.
    """

    workers: int
    memory_mb: float
    torch_threads: int = 1


Submit = Callable[[Work], "Future[list[Outcome]]"]
"""Begins to score a sample somewhere."""


@contextlib.contextmanager
def threads(resources: Resources) -> Iterator[Submit]:
    """One thread for each worker; where there are fewer samples, they share the metrics of one."""
    stop = Event()
    with (
        no_threads_of_libraries(resources.torch_threads),
        ComputePool(resources.workers) as pool,
        ThreadPoolExecutor(resources.workers, "sample") as readers,
    ):
        try:
            yield lambda work: readers.submit(score, *work, pool, resources.memory_mb, stop)
        finally:
            stop.set()


def score_all(
    work: Iterable[Work], resources: Resources, where: Callable[[Resources], AbstractContextManager[Submit]] = threads
) -> Iterator[list[Outcome]]:
    """Score samples, several at a time, and yield what came of each as soon as it is known, in any order.

    Args:
        work: Taken one by one as workers become free.
        resources: Workers and memory.
        where: :func:`threads`, or :func:`fvhydra.evaluation.processes.processes`.
    """
    remaining = iter(work)
    waiting: set[Future[list[Outcome]]] = set()
    with where(resources) as submit:
        while True:
            # twice as many as are scored at a time: the next begin while results are being written
            while len(waiting) < 2 * resources.workers and (item := next(remaining, None)) is not None:
                waiting.add(submit(item))
            if not waiting:
                return
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()


def score(
    sample: Sample,
    contents: Mapping[str, str],
    loaded: Sequence[LoadedMetric],
    pool: ComputePool,
    memory_mb: float,
    stop: Stop | None = None,
) -> list[Outcome]:
    """Score one sample with several metrics; one outcome for each, whatever goes wrong."""
    runs = [MetricRun(item, sample, contents[item.metric.spec.id]) for item in loaded]
    reason: Exception = TypeError("the metric returned no score")
    for run in runs:
        run.check()
    try:
        with pool.busy():
            _watch([run for run in runs if run.outcome is None], sample, pool, memory_mb, stop or Event())
    except (_Stopped, InfrastructureError):  # the latter: a GPU whose memory ran out
        raise
    except Exception as error:  # of the reading itself: a bug, no memory
        reason = error
    for run in runs:
        run.fail(reason)
    return [run.outcome for run in runs if run.outcome is not None]


def _watch(runs: Sequence[MetricRun], sample: Sample, pool: ComputePool, memory_mb: float, stop: Stop) -> None:
    def each(step: Callable[[MetricRun], None]) -> None:
        """Take a step in every run, the slowest first, so that the others fill what time it leaves.

        MetricRun that divide their work among them come after those that do not: they end together, however late they
        begin. MetricRun that cost next to nothing come after all others: they mostly use what others computed for them,
        and a thread that waits for that is lost to the rest.
        """
        left = [run for run in runs if run.outcome is None]
        least = _LIGHT * max((run.cost for run in left), default=0)
        heavy = sorted((run for run in left if run.cost >= least), key=lambda run: (run.divided, -run.cost))
        pool.run([partial(step, run) for run in heavy])
        pool.run([partial(step, run) for run in left if run not in heavy], alone=True)

    videos = {key: Path(sample.keys[key]) for run in runs for key in run.keys}
    with open_clips(videos, memory_mb, sample.rate) as reader:
        clip = SampleVideos(reader.tracks)
        try:
            each(partial(MetricRun.begin, reader=reader, clip=clip))
            for chunk in reader:
                if stop.is_set():
                    raise _Stopped
                if not any(run.wants_frames for run in runs):
                    break
                each(partial(MetricRun.update, chunk=chunk, reader=reader))
            each(partial(MetricRun.finish, reader=reader))
        finally:
            clip.shared.clear()


@contextlib.contextmanager
def no_threads_of_libraries(torch_threads: int) -> Iterator[None]:
    """Limit the threads of OpenCV and torch while the block runs: samples are spread over threads of ours."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    if torch_threads and "torch" in sys.modules:  # otherwise no network is there
        sys.modules["torch"].set_num_threads(torch_threads)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def with_sound(sample: Sample) -> Sample:
    """The sample with the sound of its videos as ``audio`` and ``reference_audio``, where it names no other."""
    heard = dict(sample.keys)
    for audio, video in (("audio", "video"), ("reference_audio", "reference")):
        path = sample.keys.get(video)
        if heard.get(audio) is None and isinstance(path, Path):
            with contextlib.suppress(MediaError):  # whoever needs the pictures says so
                if has_sound(path):
                    heard[audio] = path
    return replace(sample, keys=heard)
