# SPDX-License-Identifier: Apache-2.0
"""Earlier attempts at a job, kept below its folder when it runs once more."""

from __future__ import annotations

import time
from pathlib import Path

from fvhydra.core import files
from fvhydra.core.errors import UsageError
from fvhydra.core.run import RunFolder

_ATTEMPTS = "attempts"

_MOVING = "moving"

_ORPHAN_S = 5.0
"""Longer than a worker takes to notice; who lives on has only got the number of the process."""


def numbers(sweep: Path) -> list[int]:
    """Numbers of the jobs that a sweep's folder has, sorted."""
    if not sweep.is_dir():
        return []
    return sorted(int(path.name) for path in sweep.iterdir() if path.name.isdecimal() and path.is_dir())


def wait_for(folder: RunFolder) -> None:
    """Wait for a worker whose driver was killed a moment ago: it is ending, and must not write into what comes next."""
    deadline = time.monotonic() + _ORPHAN_S
    while time.monotonic() < deadline:
        try:
            if folder.state != "running":
                return
        except UsageError:
            return
        time.sleep(0.05)


def set_aside(folder: Path, keep: tuple[str, ...] = ()) -> Path | None:
    """Move what an earlier attempt left into ``attempts/<n>/`` of the job's folder; None when there is nothing.

    The result goes first and the manifest last: whenever this is interrupted, the job reads as one without a result.
    What was moved then waits under another name, and the rest joins it the next time: an attempt is never in two parts.

    Args:
        keep: Names that stay. A job that is started again in its place keeps ``job.json`` and ``status``.
    """
    if not folder.is_dir():
        return None
    names = {path.name for path in folder.iterdir()} - {_ATTEMPTS, *keep}
    attempts = folder / _ATTEMPTS
    moving = attempts / _MOVING
    if not names and not moving.is_dir():
        return None
    with files.explained(attempts):
        if any((moving / name).exists() for name in names):  # the job was begun again since
            moving.rename(_free(attempts))
        moving.mkdir(parents=True, exist_ok=True)
        for name in sorted(names, key=lambda name: (name != "result.json", name == "manifest.json", name)):
            (folder / name).rename(moving / name)
        target = _free(attempts)
        moving.rename(target)
    return target


def _free(attempts: Path) -> Path:
    """The folder of the next attempt, which is not there yet."""
    return attempts / str(1 + max(numbers(attempts), default=0))
