# SPDX-License-Identifier: Apache-2.0
"""One command at a time in a sweep's folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from fvhydra.core import files
from fvhydra.core.errors import UsageError


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a sweep's folder, made if need be. However this process ends, the system lets go of it.

    A folder that nothing came into is removed again: all jobs were refused.

    Raises:
        UsageError: Another process holds it, or it cannot be written.
    """
    path = folder / ".lock"
    with files.explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(path, "a+", encoding="utf-8")  # noqa: SIM115  closed below
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise _in_use(folder, lock.read().strip()) from error
        if not path.exists() or not os.path.samestat(os.fstat(lock.fileno()), path.stat()):
            raise _in_use(folder, "")  # whoever held it has just removed it
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        lock.flush()
        try:
            yield
        finally:
            if list(folder.iterdir()) == [path]:
                path.unlink()
                folder.rmdir()


def _in_use(folder: Path, whom: str) -> UsageError:
    return UsageError(
        f"{folder} is in use by another fvhydra ({whom or 'unknown process'}).",
        "Wait until it has ended, or give this sweep another name: sweep=<name>.",
    )
