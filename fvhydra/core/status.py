# SPDX-License-Identifier: Apache-2.0
"""``status/status.json``: how far a run is, written again and again while it works, so that anybody can watch it.

Whoever works only says what happens (:meth:`LiveStatus.stage`, :meth:`~LiveStatus.step`, :meth:`~LiveStatus.part`),
which costs next to nothing. A thread writes it down once a second, and that is the heart-beat: a status that says
``running`` and does not move any more is of a process that is stuck or gone.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fvhydra.core import files, gpus
from fvhydra.core.environment import now

PERIOD_S = 1.0
"""Between two heart-beats."""

_GPU_EVERY_S = 10.0
"""Between two questions for the memory of GPUs, each of which starts a program."""


@dataclass
class _Pace:
    """How quickly something with a known number of equal parts goes on.

    Attributes:
        since: When the first part began, on the monotonic clock.
        began_at: How many parts were finished then: those of an earlier attempt say nothing of the pace.
        moved: When it last moved on.
    """

    since: float
    began_at: float
    total: float
    done: float
    moved: float

    def left_s(self, at: float) -> float | None:
        """Seconds until the end, if it goes on like this; None before anything was finished."""
        finished = self.done - self.began_at
        if finished <= 0:
            return None
        each = (self.moved - self.since) / finished
        return max(each * (self.total - self.done) - (at - self.moved), 0.0)


class LiveStatus:
    """The status of a run, in memory and on the disk. Any thread may use it.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._facts: dict[str, Any] = {}
        self._began = time.monotonic()
        self._parts: _Pace | None = None
        self._within = 0.0
        """How much of the part that is being worked on is finished, from 0 to 1."""
        self._steps: _Pace | None = None
        self._until: float | None = None
        self._gpu_asked = -_GPU_EVERY_S

    def set_state(self, state: str, **facts: Any) -> None:
        """Write the file now, with ``state`` and further facts (JSON). ``running`` begins anew."""
        with self._lock:
            if state == "running":
                self._facts, self._parts, self._steps, self._began = {"started": now()}, None, None, time.monotonic()
                self._until = None
            self._facts |= {"state": state, **facts}
            files.write_json(self._path, self._now())

    def stage(self, stage: str, case: int | None = None, msg: str = "") -> None:
        """A stage began, see :class:`fvhydra.core.progress.Progress`."""
        with self._lock:
            self._facts |= {"stage": stage, "clip": case, "msg": msg}
            self._facts.pop("step", None)
            self._facts.pop("steps", None)
            self._steps = None

    def step(self, done: int, total: int) -> None:
        """``done`` of ``total`` steps of the stage are finished."""
        with self._lock:
            self._facts |= {"step": done, "steps": total}
            self._steps = _moved(self._steps, done, total)
            if self._parts and self._facts.get("clip") is not None and total:  # a later stage of it takes little more
                self._within = max(self._within, done / total)
                self._parts.moved = self._steps.moved

    def part(self, done: int, total: int) -> None:
        """``done`` of ``total`` equal parts of the whole run (its cases, clips, files) are finished."""
        with self._lock:
            self._facts |= {"done": done, "total": total}
            self._parts = _moved(self._parts, done, total)
            self._within = 0.0

    def note(self, **facts: Any) -> None:
        """Add facts (JSON) of what the run does, which stay until they are noted again; None takes one away."""
        with self._lock:
            self._facts |= facts
            for name in [name for name, value in facts.items() if value is None]:
                del self._facts[name]

    def budget(self, budget_s: float, left_s: float) -> None:
        """The run may take ``budget_s`` in all, and has ``left_s`` of it from now on; s."""
        with self._lock:
            self._facts["budget_s"] = budget_s
            self._until = time.monotonic() + left_s

    def _now(self) -> dict[str, Any]:
        who = {"pid": os.getpid(), "host": socket.gethostname(), "updated": now()}
        elapsed_s = round(time.monotonic() - self._began, 1)
        left_s = self._left_s() if self._facts.get("state") == "running" else None
        if self._until is not None:
            self._facts["budget_left_s"] = round(max(self._until - time.monotonic(), 0.0), 1)
        return {**self._facts, **who, "elapsed_s": elapsed_s, "eta_s": None if left_s is None else round(left_s, 1)}

    def _left_s(self) -> float | None:
        at = time.monotonic()
        if self._parts is None:
            return self._steps.left_s(at) if self._steps else None
        return replace(self._parts, done=min(self._parts.done + self._within, self._parts.total)).left_s(at)

    # ------------------------------------------------------------------ the heart-beat
    @contextlib.contextmanager
    def beating(self) -> Iterator[None]:
        """Write the file once a second in this block, for as long as the state is ``running``."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(PERIOD_S):
                with contextlib.suppress(Exception):  # a full disk may have room again; the work itself says so
                    self.write()

        thread = threading.Thread(target=beat, name="heart-beat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def write(self) -> None:
        """Write the file once. Not when the run has ended, nor into a folder that is gone."""
        memory = self._gpu_memory()
        with self._lock:
            if memory is not None:
                self._facts["gpu_memory_mb"] = memory
            if self._facts.get("state") == "running":
                files.refresh_json(self._path, self._now())

    def _gpu_memory(self) -> list[int] | None:
        if gpus.surely_without_gpu() or time.monotonic() - self._gpu_asked < _GPU_EVERY_S:
            return None
        self._gpu_asked = time.monotonic()
        return gpus.gpu_memory_mb()


def _moved(pace: _Pace | None, done: int, total: int) -> _Pace:
    at = time.monotonic()
    if pace is None or pace.total != total or done < pace.done:
        return _Pace(at, done, total, done, at)
    return _Pace(pace.since, pace.began_at, total, done, at)
