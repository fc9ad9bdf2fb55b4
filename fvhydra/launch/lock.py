# SPDX-License-Identifier: Apache-2.0
"""One command at a time in a sweep's folder."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from fvhydra.core import files
from fvhydra.core.errors import UsageError
from fvhydra.core.lock import is_held, open_lock, take


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
        lock = open_lock(path)
    with lock:
        try:
            take(lock)
        except BlockingIOError as error:
            lock.seek(0)
            raise _in_use(folder, (lock.read() or b"").decode(errors="replace").strip()) from error
        if not is_held(lock, path):
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


def _in_use(folder: Path, whom: str) -> UsageError:
    return UsageError(
        f"{folder} is in use by another fvhydra ({whom or 'unknown process'}).",
        "Wait until it has ended, or give this sweep another name: sweep=<name>.",
    )
