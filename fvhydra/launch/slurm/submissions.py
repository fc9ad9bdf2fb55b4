# SPDX-License-Identifier: Apache-2.0
"""What was submitted, remembered in ``slurm/`` of the sweep's folder, so that another command finds it again.

A batch is noted before it is submitted. If this process is killed in between, or Slurm's answer is lost, the array is
found by its name.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection
from pathlib import Path

from fvhydra.config.launcher import LauncherConfig
from fvhydra.core import files, untrusted
from fvhydra.core.errors import InfrastructureError, UsageError
from fvhydra.launch.slurm import queue
from fvhydra.launch.slurm.batch import THOUSAND, Batch
from fvhydra.launch.slurm.commands import call, complaint
from fvhydra.launch.tokens import worker_environment

_SILENT = ("unable to contact", "timed out", "connect failure", "temporarily", "try again")
"""What Slurm's commands say when it does not answer, in any of its versions' words."""

_PATIENCE_S = 120.0
_PAUSE_S = 2.0
_LINE_OF_IDS = 500


def submit(sweep: Path, batch: Batch, settings: LauncherConfig) -> None:
    """Submit a batch and note its id.

    Raises:
        UsageError: Slurm refuses it.
        InfrastructureError: Slurm did not answer for two minutes.
    """
    folder = sweep / "slurm"
    script, note = folder / f"{batch.name}.sh", folder / f"{batch.name}.json"
    files.write_text(script, batch.text)
    files.write_json(note, {"numbers": batch.numbers, "id": None})
    try:
        array = _sbatch(script, batch.name, _environment(settings))
    except UsageError:
        note.unlink()  # there is nothing to find
        raise
    files.write_json(note, {"numbers": batch.numbers, "id": array})


def submitted(sweep: Path) -> dict[int, str]:
    """The latest id in Slurm of every job of a sweep that has one, by number.

    Raises:
        InfrastructureError: Slurm must be asked for one, and does not answer.
    """
    found: dict[int, str] = {}
    for note in sorted((sweep / "slurm").glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name)):
        record = untrusted.read_json(note)
        array = record["id"] or queue.find(note.stem)
        if array is not None:
            found |= {number: f"{array}_{number % THOUSAND}" for number in record["numbers"]}
    return found


def cancel(ids: Collection[str]) -> None:
    """Ask Slurm to end jobs. It does not matter when some have ended already, or when it does not answer."""
    words = sorted(ids)
    for first in range(0, len(words), _LINE_OF_IDS):
        call("scancel", "--quiet", *words[first : first + _LINE_OF_IDS])


def _sbatch(script: Path, name: str, environment: dict[str, str]) -> str:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        answer = call("sbatch", "--parsable", str(script), environment=environment)
        if not answer.returncode:
            return answer.stdout.strip().partition(";")[0]
        said = complaint(answer)
        silent = any(words in said.lower() for words in _SILENT)
        if not silent:
            raise UsageError(f"Slurm refuses the jobs: {said}.", f"What it was given is in {script}.")
        with contextlib.suppress(InfrastructureError):
            if found := queue.find(name):  # only the answer was lost
                return found
        if time.monotonic() > deadline:
            raise InfrastructureError(f"Slurm does not answer: {said}.", "Run the same command again when it does.")
        time.sleep(_PAUSE_S)


def _environment(settings: LauncherConfig) -> dict[str, str]:
    """A worker's environment, without the variables of the Slurm job that this process may itself run in."""
    environment = worker_environment(settings)
    return {name: value for name, value in environment.items() if name == "SLURM_CONF" or name[:6] != "SLURM_"}
