# SPDX-License-Identifier: Apache-2.0
"""Calling Slurm's commands."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping

from fvhydra.core.errors import UsageError

_TIMEOUT_S = 60.0

Answer = subprocess.CompletedProcess[str]


def required() -> None:
    """Refuse when Slurm's commands are not installed.

    Raises:
        UsageError: It is not.
    """
    missing = [program for program in ("sbatch", "squeue", "scancel") if shutil.which(program) is None]
    if missing:
        raise UsageError(
            f"launcher=slurm needs Slurm's commands on this machine, and there is no {', '.join(missing)}.",
            "Run the same command on a login node of the cluster, or choose launcher=pool.",
        )


def call(*words: str, environment: Mapping[str, str] | None = None) -> Answer:
    """Run a command of Slurm. One that cannot be run or does not return in time gives the result of a failed one."""
    try:
        return subprocess.run(
            words,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Answer(words, 1, "", str(error))


def complaint(answer: Answer) -> str:
    """What a command that failed said, in one line, without its name."""
    lines = [line.strip() for line in answer.stderr.splitlines() if line.strip() and not line.startswith("Try ")]
    return (
        lines[-1].removeprefix(f"{answer.args[0]}: ").removeprefix("error: ") if lines else f"exit {answer.returncode}"
    )
