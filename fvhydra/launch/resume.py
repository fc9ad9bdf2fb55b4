# SPDX-License-Identifier: Apache-2.0
"""Going on with a sweep: its jobs found again by fingerprint, and the results that are kept."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from fvhydra.core.environment import PLACE
from fvhydra.core.errors import UsageError
from fvhydra.core.result import RunResult
from fvhydra.core.run import RunFolder
from fvhydra.core.verdict import AGAIN
from fvhydra.launch.attempts import numbers, wait_for
from fvhydra.launch.job_file import read_record


def by_fingerprint(sweep: Path) -> dict[str, list[int]]:
    """The jobs of a sweep's folder: fingerprint to numbers, sorted. A job whose record is damaged has none."""
    found: dict[str, list[int]] = defaultdict(list)
    for number in numbers(sweep):
        try:
            found[str(read_record(sweep / str(number))["fingerprint"])].append(number)
        except (UsageError, KeyError):
            continue
    return found


def interrupted_run(path: Path, op: str) -> RunFolder:
    """The folder of a single run that is to be taken up.

    Raises:
        UsageError: It is no run folder, of another op, or its process still runs.
    """
    folder = RunFolder.open(path)
    if folder.manifest["op"] != op:
        raise UsageError(f"run={path} is a run of op={folder.manifest['op']}, not of op={op}.")
    wait_for(folder)
    running = False
    with contextlib.suppress(UsageError):  # killed before it could say anything
        running = folder.state == "running"
    if running:
        raise UsageError(f"run={path} is still running.", "Wait for it, or stop it first.")
    return folder


def settled(folder: Path) -> RunResult | None:
    """The result of a job that came to a verdict on its output; None when it must run (again)."""
    try:
        result = RunFolder(folder).result
    except UsageError:
        return None
    return None if result.verdict in AGAIN else result


def made_otherwise(folders: Iterable[Path], here: dict[str, str]) -> dict[str, list[str]]:
    """Versions and commits that jobs were started with and that are others here: key to what it was then."""
    found: dict[str, set[str]] = defaultdict(set)
    for folder in folders:
        then = read_record(folder)["environment"]
        for key in (key for key in then if key not in PLACE and then[key] != here.get(key)):
            found[key].add(then[key])
    return {key: sorted(values) for key, values in found.items()}
