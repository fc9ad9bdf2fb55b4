"""The pass: every sample decoded once, seen by all metrics, several samples at a time."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event, Lock
from typing import Protocol

import cv2

from fvhydra.core.errors import MediaError
from fvhydra.evaluation.footage import footage
from fvhydra.evaluation.lane import Lane, Outcome
from fvhydra.evaluation.selection import Prepared
from fvhydra.media.video import probe
from fvhydra.metrics.base import Clip
from fvhydra.metrics.sample import Sample

_LIGHT = 0.01
"""Of the slowest lane's cost."""


class Stop(Protocol):
    """An event of this process or of several."""

    def is_set(self) -> bool:
        """Whether to leave the sample alone."""


class _Stopped(Exception):
    """The evaluation was interrupted; the sample is left alone."""


class Crew:
    """Threads that compute for a sample while there are fewer samples than threads.

    With as many samples on their way each computes in its own thread: handing single steps to others would cost more
    than it brings.
    """

    def __init__(self, workers: int) -> None:
        self._pool = ThreadPoolExecutor(workers, "compute")
        self._idle = workers
        self._lock = Lock()

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """One sample more is on its way."""
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


Work = tuple[Sample, Mapping[str, str], Sequence[Prepared]]
"""A sample, the content of what each metric reads of it, and the metrics to run on it."""


@dataclass(frozen=True)
class Effort:
    """What a pass may use.

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
def threads(effort: Effort) -> Iterator[Submit]:
    """One thread for each worker; where there are fewer samples, they share the metrics of one."""
    stop = Event()
    with (
        no_threads_of_libraries(effort.torch_threads),
        Crew(effort.workers) as crew,
        ThreadPoolExecutor(effort.workers, "sample") as readers,
    ):
        try:
            yield lambda work: readers.submit(score, *work, crew, effort.memory_mb, stop)
        finally:
            stop.set()


def score_all(
    work: Iterable[Work], effort: Effort, where: Callable[[Effort], AbstractContextManager[Submit]] = threads
) -> Iterator[list[Outcome]]:
    """Score samples, several at a time, and yield what came of each as soon as it is known, in any order.

    Args:
        work: Taken one by one as workers become free.
        effort: Workers and memory.
        where: :func:`threads`, or :func:`fvhydra.evaluation.processes.processes`.
    """
    remaining = iter(work)
    waiting: set[Future[list[Outcome]]] = set()
    with where(effort) as submit:
        while True:
            # twice as many as are scored at a time: the next begin while results are being written
            while len(waiting) < 2 * effort.workers and (item := next(remaining, None)) is not None:
                waiting.add(submit(item))
            if not waiting:
                return
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()


def score(
    sample: Sample,
    contents: Mapping[str, str],
    prepared: Sequence[Prepared],
    crew: Crew,
    memory_mb: float,
    stop: Stop | None = None,
) -> list[Outcome]:
    """Score one sample with several metrics; one outcome for each, whatever goes wrong."""
    lanes = [Lane(item, sample, contents[item.metric.spec.id]) for item in prepared]
    reason: Exception = TypeError("the metric returned no score")
    for lane in lanes:
        lane.check()
    try:
        with crew.busy():
            _watch([lane for lane in lanes if lane.outcome is None], sample, crew, memory_mb, stop or Event())
    except _Stopped:
        raise
    except Exception as error:  # of the reading itself: a bug, no memory
        reason = error
    for lane in lanes:
        lane.fail(reason)
    return [lane.outcome for lane in lanes if lane.outcome is not None]


def _watch(lanes: Sequence[Lane], sample: Sample, crew: Crew, memory_mb: float, stop: Stop) -> None:
    def each(step: Callable[[Lane], None]) -> None:
        """Take a step in every lane, the slowest first, so that the others fill what time it leaves.

        Lanes that divide their work among them come after those that do not: they end together, however late they
        begin. Lanes that cost next to nothing come after all others: they mostly use what others computed for them,
        and a thread that waits for that is lost to the rest.
        """
        left = [lane for lane in lanes if lane.outcome is None]
        least = _LIGHT * max((lane.cost for lane in left), default=0)
        heavy = sorted((lane for lane in left if lane.cost >= least), key=lambda lane: (lane.divided, -lane.cost))
        crew.run([partial(step, lane) for lane in heavy])
        crew.run([partial(step, lane) for lane in left if lane not in heavy], alone=True)

    videos = {key: Path(sample.keys[key]) for lane in lanes for key in lane.keys}
    with footage(videos, memory_mb) as shot:
        clip = Clip(shot.tracks)
        try:
            each(partial(Lane.begin, shot=shot, clip=clip))
            for chunk in shot:
                if stop.is_set():
                    raise _Stopped
                if not any(lane.wants_frames for lane in lanes):
                    break
                each(partial(Lane.see, chunk=chunk, shot=shot))
            each(partial(Lane.finish, shot=shot))
        finally:
            clip.shared.clear()


@contextlib.contextmanager
def no_threads_of_libraries(torch_threads: int) -> Iterator[None]:
    """Samples are spread over threads already; those of OpenCV and torch would only fight with them."""
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
                if probe(path).has_audio:
                    heard[audio] = path
    return Sample(sample.id, heard, sample.role, sample.tags)
