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
def claimed(folder: Path) -> Iterator[None]:
    """Hold a sweep's folder, made if need be. However this process ends, the system lets go of it.

    Raises:
        UsageError: Another process holds it, or it cannot be written.
    """
    with files.explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".claim"
    with files.explained(path), open(path, "a+", encoding="utf-8") as claim:
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            claim.seek(0)
            raise UsageError(
                f"{folder} is in use by another fvhydra ({claim.read().strip() or 'unknown process'}).",
                "Wait until it has ended, or give this sweep another name: sweep=<name>.",
            ) from error
        claim.truncate(0)
        claim.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        claim.flush()
        yield
