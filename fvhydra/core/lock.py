# SPDX-License-Identifier: Apache-2.0
"""Files by which processes keep out of each other's way. However a process ends, the system lets go of them."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from fvhydra.core.errors import UsageError
from fvhydra.core.files import explained
from fvhydra.core.machine import no_detour

_FAR = 2**30
"""Beyond anything that is written into a lock."""


@contextlib.contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Wait until no other process is in such a block for the same file, and keep the others waiting until it ends.

    Args:
        path: A file in a folder that is there. Beside it stands ``.<name>.lock`` for as long as anybody is at it.

    Raises:
        UsageError: The folder cannot be written.
    """
    lock_path = path.with_name(f".{path.name}.lock")
    while True:
        with explained(lock_path):
            lock = open_lock(lock_path)
        with lock:
            take(lock, wait=True)
            if not is_held(lock, lock_path):
                continue  # whoever held it has just removed it
            try:
                yield
            finally:
                with contextlib.suppress(OSError):  # Windows keeps what is open
                    lock_path.unlink()
            return


def open_lock(path: Path) -> IO[bytes]:
    """Open a file for :func:`take`, made if need be.

    Raises:
        UsageError: It is no regular file: it may be written to.
        OSError: It cannot be opened.
    """
    return open(path, "rb+", buffering=0, opener=_no_link)


def take(lock: IO[bytes], wait: bool = False) -> None:
    """Lock an open file until it is closed.

    Raises:
        BlockingIOError: Another process holds it, and nobody was to wait.
    """
    if sys.platform == "win32":
        import msvcrt

        lock.seek(_FAR)  # what is locked there can be read by nobody else
        try:
            msvcrt.locking(lock.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(str(error)) from error
        finally:
            lock.seek(0)
    else:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_held(lock: IO[bytes], path: Path) -> bool:
    """Whether the file that was locked is still the one that others would find."""
    try:
        return os.path.samestat(os.fstat(lock.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _no_link(name: str, flags: int) -> int:
    """Open a file for the lock, made if need be; what is none is refused: it will be emptied."""
    found = os.open(name, flags | os.O_CREAT | no_detour(), 0o666)
    if not stat.S_ISREG(os.fstat(found).st_mode):
        os.close(found)
        raise UsageError(f"{name} is no regular file, so no command can take this folder.", "Remove it.")
    return found
