# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, in the words of the person who has to act on it.

An error for a user is one sentence of what and where, what is allowed, and the command to run next. ``cli`` prints it
without a traceback and exits with its code; everything that is not an :class:`FvhydraError` is a bug of ours and is
written with its traceback to the run's log.
"""

from __future__ import annotations

from collections.abc import Iterable

from fvhydra.config.problems import nearest as nearest


class FvhydraError(Exception):
    """An expected failure.

    Args:
        message: One sentence: what is wrong, where (key or path), what is allowed.
        hint: The next thing to do, usually a command. Empty when there is nothing sensible to suggest.
    """

    exit_code = 4

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UsageError(FvhydraError):
    """The request cannot be carried out as given: wrong key, value, file or environment. Nothing was changed."""

    exit_code = 2


class InfrastructureError(FvhydraError):
    """The request is fine but a machine, network, engine or store failed. May be retried."""

    exit_code = 4


class EngineError(InfrastructureError):
    """An engine in a process of its own that ended a call without an answer of the engine's."""


class EngineDied(EngineError):
    """Its process ended: it was killed, memory ran out, a library crashed or exited."""


class EngineHung(EngineError):
    """Its process gave no sign of life for too long, or a call took longer than it may. It has been ended."""


class EngineProtocolError(EngineError):
    """Its process said what cannot be understood, or speaks another version. It has been ended."""


class EngineFailed(EngineError):
    """The engine raised what is no error for people; its traceback is in the log. The process goes on."""


class MediaError(UsageError):
    """A video, audio, image or latent file that cannot be used as one."""


class StoreError(InfrastructureError):
    """Base of everything a store can refuse or fail at (see ``fvhydra.stores.base`` for the contract)."""


class Exists(StoreError):
    """Paths that must be absent are there. ``paths`` lists every one of them, sorted."""

    exit_code = 2

    def __init__(self, paths: Iterable[str], hint: str = "") -> None:
        self.paths = sorted(paths)
        listing = "".join(f"\n    {path}" for path in self.paths)
        super().__init__(f"{len(self.paths)} file(s) are already in the store:{listing}", hint)


class Conflict(StoreError):
    """The store moved on after the given parent revision. ``paths`` are those that both sides touched, if known."""

    exit_code = 2

    def __init__(self, message: str, hint: str = "", paths: Iterable[str] = ()) -> None:
        super().__init__(message, hint)
        self.paths = sorted(paths)


class Corrupt(StoreError):
    """Bytes whose hash is not the recorded one."""


class Unavailable(StoreError):
    """The store cannot be reached."""


class NotFound(Unavailable):
    """There is no such address, branch, revision or path: asking again does not help."""

    exit_code = 2


class Denied(StoreError):
    """The store refuses this identity (no token, read-only token, folder not writable)."""

    exit_code = 2
