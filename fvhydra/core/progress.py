# SPDX-License-Identifier: Apache-2.0
"""Progress of long work: who is told of it, and how it is written into logs and read back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from fvhydra.core.text import printable


class Progress(Protocol):
    """Is told of the progress of long work.

    Any method may raise to cancel the work (Ctrl-C arrives this way in tests); callers let that through.
    """

    def stage(self, stage: str, case: int | None = None, msg: str = "") -> None:
        """A stage begins: ``load``, ``generate``, ``encode``, ``fetch``, ``compare``, ...

        Args:
            stage: Its name.
            case: Index of the case that it is about; None when it is about all of them.
            msg: What else to know, one line.
        """

    def step(self, done: int, total: int) -> None:
        """``done`` of ``total`` denoising steps of the current stage are finished."""


_STAGE = re.compile(r"\S+ \| (?P<stage>[^|]+) \| clip=(?P<case>-|\d+) \| msg=(?P<msg>.*)")
_STEP = re.compile(r"step (?P<done>\d+)/(?P<total>\d+)")


@dataclass(frozen=True)
class Stage:
    """A line of ``status/progress.log``: a stage that began."""

    stage: str
    case: int | None = None
    msg: str = ""


@dataclass(frozen=True)
class Step:
    """A line of a job's log: ``done`` of ``total`` denoising steps are finished."""

    done: int
    total: int


def format_stage(time: str, stage: str, case: int | None = None, msg: str = "") -> str:
    """The line of a stage: ``ISO8601 | stage | clip=<index|-> | msg=...``; other tools of the ecosystem read it too."""
    clean = " ".join(printable(msg).split())
    return f"{time} | {stage} | clip={'-' if case is None else case} | msg={clean}"


def format_step(done: int, total: int) -> str:
    """The line of a step: ``step 3/8``."""
    return f"step {done}/{total}"


def parse_line(line: str) -> Stage | Step | None:
    """The inverse of :func:`format_stage` and :func:`format_step`; None for any other line."""
    if found := _STAGE.fullmatch(line):
        return Stage(found["stage"], None if found["case"] == "-" else int(found["case"]), found["msg"])
    if found := _STEP.fullmatch(line):
        return Step(int(found["done"]), int(found["total"]))
    return None


class Silent:
    """Ignores all progress."""

    def stage(self, stage: str, case: int | None = None, msg: str = "") -> None: ...

    def step(self, done: int, total: int) -> None: ...


class Fanout:
    """Passes everything on to several listeners."""

    def __init__(self, *listeners: Progress) -> None:
        self._listeners = listeners

    def stage(self, stage: str, case: int | None = None, msg: str = "") -> None:
        for listener in self._listeners:
            listener.stage(stage, case, msg)

    def step(self, done: int, total: int) -> None:
        for listener in self._listeners:
            listener.step(done, total)
