# SPDX-License-Identifier: Apache-2.0
"""One command at a time in a sweep's folder."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from fvhydra.core import files
from fvhydra.core.errors import UsageError
from fvhydra.core.machine import no_detour

_FAR = 2**30
"""Beyond anything that is written into a lock."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a sweep's folder, made if need be. However this process ends, the system lets go of it.

    A folder that nothing came into is removed again: all jobs were refused.

    Raises:
        UsageError: Another process holds it, or it cannot be written.
    """
    path = folder / ".lock"
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    with files.explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(path, "rb+", buffering=0, opener=_no_link)  # noqa: SIM115  closed below
    with lock:
        try:
            _take(lock)
        except BlockingIOError as error:
            lock.seek(0)
            raise _in_use(folder, (lock.read() or b"").decode(errors="replace").strip()) from error
        if not path.exists() or not os.path.samestat(os.fstat(lock.fileno()), path.stat()):
            raise _in_use(folder, "")  # whoever held it has just removed it
        try:
            with files.explained(path):
                lock.truncate(0)
                lock.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())
            yield
        finally:
            if list(folder.iterdir()) == [path]:
                with contextlib.suppress(OSError):  # others came there; Windows keeps what is open
                    path.unlink()
                    for place in made:
                        place.rmdir()


def _take(lock: IO[bytes]) -> None:
    """Lock an open file until it is closed.

    Raises:
        BlockingIOError: Another process holds it.
    """
    if sys.platform == "win32":
        import msvcrt

        lock.seek(_FAR)  # what is locked there can be read by nobody else
        try:
            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(str(error)) from error
        finally:
            lock.seek(0)
    else:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _no_link(name: str, flags: int) -> int:
    """Open a file for the lock, made if need be; what is none is refused: it will be emptied."""
    found = os.open(name, flags | os.O_CREAT | no_detour(), 0o666)
    if not stat.S_ISREG(os.fstat(found).st_mode):
        os.close(found)
        raise UsageError(f"{name} is no regular file, so no command can take this folder.", "Remove it.")
    return found


def _in_use(folder: Path, whom: str) -> UsageError:
    return UsageError(
        f"{folder} is in use by another fvhydra ({whom or 'unknown process'}).",
        "Wait until it has ended, or give this sweep another name: sweep=<name>.",
    )
