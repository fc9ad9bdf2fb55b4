# SPDX-License-Identifier: Apache-2.0
"""Scoring in several processes, for many samples without networks: Python's threads would wait for each other."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from fvhydra.core.errors import InfrastructureError
from fvhydra.evaluation.metric_run import Outcome
from fvhydra.evaluation.metric_setup import LoadedMetric
from fvhydra.evaluation.scoring import ComputePool, Resources, Submit, Work, no_threads_of_libraries, score

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

_FEWEST = 64
"""Samples; with fewer, starting processes takes longer than they save. They start side by side, each on a CPU of its
own, so it does not matter how many they are."""

_mine: tuple[ComputePool, Resources, Event]
"""What a process that scores has been given when it began."""


def use_processes(loaded: Sequence[LoadedMetric], samples: int, resources: Resources) -> bool:
    """Whether processes are quicker than threads: many samples, and no network that each would have to load."""
    light = not any(item.metric.spec.loads(item.metric.params) for item in loaded)
    return light and resources.workers > 1 and samples >= _FEWEST and _can_be_sent(loaded)


@contextlib.contextmanager
def processes(resources: Resources) -> Iterator[Submit]:
    """One process for each worker; each scores a sample at a time, in one thread beside those that decode.

    Raises:
        InfrastructureError: One of them died.
    """
    import multiprocessing  # here, because it takes a while and a few clips do not need it
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    # not forked: this process may have threads, and a lock that one of them holds would stay locked in the copy
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    pool = ProcessPoolExecutor(resources.workers, context, _begin, (resources, stop))

    def submit(work: Work) -> Future[list[Outcome]]:
        # Ctrl-C is for this process alone; one that is started here inherits what is blocked
        if hasattr(signal, "pthread_sigmask"):  # not on Windows
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                return pool.submit(_score, work)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return pool.submit(_score, work)

    try:
        yield submit
    except BrokenProcessPool as error:
        raise InfrastructureError(
            "A process that scored clips has died, as when memory runs out or a decoder crashes.",
            "What was scored is kept: op.resume_from=<the run folder> goes on. op.workers=1 needs less memory.",
        ) from error
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _can_be_sent(loaded: Sequence[LoadedMetric]) -> bool:
    """Whether the metrics can be pickled; one from outside may hold what belongs to one process."""
    try:
        pickle.loads(pickle.dumps(loaded))
    except Exception:
        return False
    return True


def _begin(resources: Resources, stop: Event) -> None:
    """Set up a worker process: it ends when its parent does, and stops when ``stop`` is set."""
    global _mine
    threading.Thread(target=_die_with_parent, daemon=True).start()
    no_threads_of_libraries(resources.torch_threads).__enter__()  # to the end of the process
    _mine = ComputePool(1), resources, stop


def _score(work: Work) -> list[Outcome]:
    pool, resources, stop = _mine
    return score(*work, pool, resources.memory_mb, stop)


def _die_with_parent() -> None:
    import multiprocessing

    parent: Any = multiprocessing.parent_process()
    parent.join()
    os._exit(1)
