"""Earlier attempts at a job: found again by fingerprint, kept when the job runs once more."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from fvhydra.core import files
from fvhydra.core.errors import UsageError
from fvhydra.core.result import RunResult
from fvhydra.core.run import RunFolder
from fvhydra.core.verdict import Verdict
from fvhydra.launch.ship import read

AGAIN = (Verdict.INTERRUPTED, Verdict.INFRASTRUCTURE, Verdict.USAGE_ERROR)
"""Verdicts on the machine or the person rather than on the output: such a job runs again."""

_ATTEMPTS = "attempts"

_PLACE = ("host", "platform", "machine", "cpu", "gpu", "git_dirty")
"""Facts of where rather than of what ran."""

_ORPHAN_S = 5.0
"""Longer than a worker takes to notice; who lives on has only got the number of the process."""


def numbers(sweep: Path) -> list[int]:
    """Numbers of the jobs that a sweep's folder has, sorted."""
    if not sweep.is_dir():
        return []
    return sorted(int(path.name) for path in sweep.iterdir() if path.name.isdecimal() and path.is_dir())


def by_fingerprint(sweep: Path) -> dict[str, list[int]]:
    """The jobs of a sweep's folder: fingerprint to numbers, sorted. A job whose record is damaged has none."""
    found: dict[str, list[int]] = defaultdict(list)
    for number in numbers(sweep):
        try:
            found[str(read(sweep / str(number))["fingerprint"])].append(number)
        except (UsageError, KeyError):
            continue
    return found


def settled(folder: Path) -> RunResult | None:
    """The result of a job that came to a verdict on its output; None when it must run (again)."""
    try:
        result = RunFolder(folder).result
    except UsageError:
        return None
    return None if result.verdict in AGAIN else result


def wait_for(folder: RunFolder) -> None:
    """Wait for a worker whose driver was killed a moment ago: it is ending, and must not write into what comes next."""
    deadline = time.monotonic() + _ORPHAN_S
    while time.monotonic() < deadline:
        try:
            if folder.state != "running":
                return
        except (UsageError, KeyError, TypeError):
            return
        time.sleep(0.05)


def made_otherwise(folders: Iterable[Path], here: dict[str, str]) -> dict[str, list[str]]:
    """Versions and commits that jobs were started with and that are others here: key to what it was then."""
    found: dict[str, set[str]] = defaultdict(set)
    for folder in folders:
        then = read(folder)["environment"]
        for key in (key for key in then if key not in _PLACE and then[key] != here.get(key)):
            found[key].add(then[key])
    return {key: sorted(values) for key, values in found.items()}


def set_aside(folder: Path, keep: tuple[str, ...] = ()) -> Path | None:
    """Move what an earlier attempt left into ``attempts/<n>/`` of the job's folder; None when there is nothing.

    The result goes first: whenever this is interrupted, the job reads as one without a result, and nothing is lost.

    Args:
        keep: Names that stay. A job that is started again in its place keeps ``job.json`` and ``status``.
    """
    if not folder.is_dir():
        return None
    names = {path.name for path in folder.iterdir()} - {_ATTEMPTS, *keep}
    if not names:
        return None
    attempts = folder / _ATTEMPTS
    with files.explained(attempts):
        attempts.mkdir(exist_ok=True)
        target = attempts / str(1 + max(numbers(attempts), default=0))
        target.mkdir()
        for name in sorted(names, key=lambda name: (name != "result.json", name)):
            (folder / name).rename(target / name)
    return target
