# SPDX-License-Identifier: Apache-2.0
"""What long work says about itself. The terminal, a log file and a test listen in the same way."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives what is going on.

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


class Silent:
    """A progress that nobody listens to."""

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
