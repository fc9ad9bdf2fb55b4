# SPDX-License-Identifier: Apache-2.0
"""Following one call to its end: its log while it runs, its answer, its files."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fvhydra.core import files
from fvhydra.core.errors import InfrastructureError
from fvhydra.core.progress import Progress
from fvhydra.launch.modal.call_log import ModalCall
from fvhydra.launch.modal.errors import OutOfReach, unreachable
from fvhydra.launch.outcome import Follower, job_log

if TYPE_CHECKING:
    import modal

_T = TypeVar("_T")

_ASK_S = 30.0
"""How long one question for the answer may wait for it at Modal."""
_PAUSE_S = 1.0
_LAST_WORDS_S = 3.0
"""How long a log may take to arrive after the answer; the whole of it is among the files too."""
_RESULT = "result.json"


async def answer(call: ModalCall, patience_s: float, comeback: str) -> dict[str, Any]:
    """Wait until a call has ended, through every loss of contact that is not too long.

    Args:
        comeback: The command that comes back to the call when it is given up.

    Raises:
        OutOfReach: Modal could not be reached for ``patience_s``; the call may still be running.
        Exception: What Modal says of a call without an answer: it was cancelled, timed out, or its container was lost.
    """
    import modal

    async def ask() -> dict[str, Any] | None:
        with contextlib.suppress(TimeoutError):  # the builtin: not done yet
            found: dict[str, Any] = await modal.FunctionCall.from_id(call.id).get.aio(timeout=_ASK_S)
            return found
        return None

    while True:
        found = await patiently(ask, patience_s, f"the job may still be running; to come back to it: {comeback}")
        if found is not None:
            return found


async def is_open(call: ModalCall, patience_s: float) -> bool:
    """Whether a call still runs, or has an answer that nobody has fetched.

    Raises:
        OutOfReach: See :func:`patiently`.
    """
    import modal

    async def ask() -> bool:
        try:
            await modal.FunctionCall.from_id(call.id).get.aio(timeout=0)
        except TimeoutError:  # the builtin: not done yet
            return True
        except unreachable():
            raise
        except (Exception, SystemExit):  # it has ended without an answer
            return False
        return True

    return not call.closed and await patiently(ask, patience_s, "nothing was started")


async def patiently(ask: Callable[[], Coroutine[Any, Any, _T]], patience_s: float, left: str) -> _T:
    """Call Modal's API, repeatedly while it cannot be reached.

    Raises:
        OutOfReach: It was not reached for ``patience_s``; ``left`` says what is left there.
    """
    silent_since: float | None = None
    while True:
        try:
            return await ask()
        except unreachable() as error:
            silent_since = silent_since or time.monotonic()
            if time.monotonic() - silent_since > patience_s:
                because = f"{type(error).__name__}: {error}"
                raise OutOfReach(
                    f"Modal could not be reached for {patience_s:g} s; {left}.", f"The last failure was {because}."
                ) from error
            await asyncio.sleep(_PAUSE_S)


async def logs(call: ModalCall, folder: Path, listener: Progress) -> None:
    """Write what the call prints into the job's log and tell the listener, until the call has ended."""
    import modal

    path = job_log(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        follower = Follower(path, listener)
        try:
            with open(path, "w", encoding="utf-8") as log:  # the stream begins at its beginning
                async for entry in modal.FunctionCall.from_id(call.id).logs.stream.aio():
                    log.write(entry.message)
                    log.flush()
                    follower.feed(entry.message)
            return
        except unreachable():
            await asyncio.sleep(_PAUSE_S)


def forgive_abandoned_streams() -> None:
    """Silence what the SDK's log streams complain of when nobody listens any more: it cannot close them cleanly."""

    def is_news(record: logging.LogRecord) -> bool:
        from modal.exception import ClientClosed

        error = record.exc_info[1] if record.exc_info else None
        return not (isinstance(error, ClientClosed) or "asynchronous generator is already running" in str(error))

    logging.getLogger("asyncio").addFilter(is_news)


async def last_words(following: asyncio.Task[None]) -> None:
    """Wait a short while for the rest of a log."""
    with contextlib.suppress(Exception):  # it is shown for the person; the job does not depend on it
        await asyncio.wait_for(following, _LAST_WORDS_S)


async def download(call: ModalCall, digests: dict[str, str], folder: Path, patience_s: float) -> None:
    """Fetch the files of a job from the Volume, verified; the result comes last, so that it never stands alone.

    Raises:
        InfrastructureError: A file is not there, or is not what the container made.
        OutOfReach: See :func:`patiently`.
    """
    import modal

    volume = modal.Volume.from_name(call.volume)
    for relative in sorted(digests, key=lambda name: (name == _RESULT, name)):
        target = (folder / relative).resolve()
        if not target.is_relative_to(folder.resolve()):
            raise InfrastructureError(f"The call {call.id} names a file outside of its job: {relative!r}.")
        with files.atomic_path(target) as temporary:
            fetch = functools.partial(_fetch, volume, f"{call.folder}/{relative}", temporary)
            await patiently(fetch, patience_s, f"the results are on the Volume {call.volume}, in {call.folder}")
            if files.sha256_file(temporary) != digests[relative]:
                raise _lost(call, relative)


async def _fetch(volume: modal.Volume, path: str, target: Path) -> None:
    from modal.exception import NotFoundError

    try:
        with open(target, "wb") as handle:
            await volume.read_file_into_fileobj.aio(path, handle)
    except (NotFoundError, FileNotFoundError):
        target.write_bytes(b"")


def _lost(call: ModalCall, relative: str) -> InfrastructureError:
    return InfrastructureError(
        f"{relative} on the Volume {call.volume} is not what the container made; it was not committed, or was changed.",
        "Run the same command again: what is lost is made again.",
    )
