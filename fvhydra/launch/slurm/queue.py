# SPDX-License-Identifier: Apache-2.0
"""States of jobs in Slurm, asked for all jobs at once.

``squeue`` answers without accounting too, and of jobs that ended a while ago (``MinJobAge``, 5 minutes by default).
``sacct`` is asked only for those that ``squeue`` has forgotten.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from dataclasses import dataclass

from fvhydra.core.errors import InfrastructureError
from fvhydra.launch.outcome import ending
from fvhydra.launch.slurm.commands import call, complaint

_FIELDS = ("ArrayJobID", "ArrayTaskID", "JobID", "State", "exit_code", "NodeList", "Reason", "Name")

_ENDED = {
    "BOOT_FAIL": "was lost because its node did not start",
    "CANCELLED": "was cancelled in Slurm",
    "COMPLETED": "ended without a result",
    "DEADLINE": "missed its deadline in Slurm",
    "FAILED": "",
    "NODE_FAIL": "was lost with its node",
    "OUT_OF_MEMORY": "ran out of memory",
    "PREEMPTED": "was preempted",
    "REVOKED": "was revoked by another cluster",
    "TIMEOUT": "ran into its time limit",
}
"""States that end a job, and how that is said."""

_MAY_COME_BACK = ("BOOT_FAIL", "NODE_FAIL", "PREEMPTED", "REVOKED")


@dataclass(frozen=True)
class Standing:
    """The state of a job in Slurm.

    Attributes:
        state: In Slurm's word; ``UNKNOWN`` when it knows nothing of the job (any more).
        status: Wait status of its process.
        nodes: Where it runs or ran.
        reason: Why it waits.
    """

    state: str
    status: int = 0
    nodes: str = ""
    reason: str = ""

    @property
    def ended(self) -> bool:
        """Whether the job has no process any more."""
        return self.state in _ENDED or self.state == "UNKNOWN"

    @property
    def may_come_back(self) -> bool:
        """Whether the state may be one that Slurm shows shortly before it requeues the job."""
        return self.state in _MAY_COME_BACK

    @property
    def place(self) -> str:
        """State and node or reason: ``RUNNING n1``, ``PENDING Resources``."""
        return f"{self.state} {self.nodes or self.reason}".removesuffix(" None").strip()

    @property
    def how(self) -> str:
        """How the job ended, in words that continue a sentence beginning with "The worker"."""
        if self.state == "UNKNOWN":
            return "is no longer known to Slurm (cancelled before it began, or ended long ago)"
        words = _ENDED.get(self.state) or ending(os.waitstatus_to_exitcode(self.status))
        return f"{words} (Slurm: {self.state}{f' on {self.nodes}' if self.nodes else ''})"


def look(ids: Collection[str]) -> dict[str, Standing]:
    """The states of all ``ids`` (``<array>_<index>``), with one call.

    Raises:
        InfrastructureError: Slurm does not answer now.
    """
    found = {task: standing for task, _, standing in _squeue()}
    forgotten = {task for task in ids if task not in found}
    found |= _sacct(forgotten) if forgotten else {}
    return {task: found.get(task, Standing("UNKNOWN")) for task in ids}


def find(name: str) -> str | None:
    """The id of the array called ``name``; None when there is none.

    Raises:
        InfrastructureError: Slurm does not answer now.
    """
    for task, called, _ in _squeue():
        if called == name:
            return task.partition("_")[0]
    return None


def _squeue() -> list[tuple[str, str, Standing]]:
    """Id, name and standing of all jobs of this person."""
    answer = call("squeue", "--me", "-h", "-r", "-t", "all", "-O", ",".join(f"{field}:|" for field in _FIELDS))
    if answer.returncode:
        raise InfrastructureError(
            f"Slurm does not answer: {complaint(answer)}.", "Run the same command again when `squeue --me` works."
        )
    rows = []
    for line in answer.stdout.splitlines():
        array, index, job, state, status, nodes, reason, name = line.split("|", len(_FIELDS) - 1)
        task = f"{array}_{index}" if index.isdecimal() else job
        rows.append((task, name.removesuffix("|"), Standing(state, int(status), nodes, reason)))
    return rows


def _sacct(ids: Collection[str]) -> dict[str, Standing]:
    """The final states of jobs that ``squeue`` no longer lists; empty where there is no accounting."""
    arrays = ",".join(sorted({task.partition("_")[0] for task in ids}))
    answer = call("sacct", "-n", "-P", "-X", "-j", arrays, "-o", "JobID,State,ExitCode,NodeList")
    found = {}
    for line in answer.stdout.splitlines():
        with contextlib.suppress(ValueError):
            task, state, code, nodes = line.split("|")
            word = (state.split() or [""])[0]  # "CANCELLED by 1000"
            exited, signal = (int(part) for part in code.split(":"))
            if word in _ENDED:  # others are out of date: squeue would know them
                found[task] = Standing(word, exited << 8 | signal, nodes if nodes != "None assigned" else "")
    return found
