# SPDX-License-Identifier: Apache-2.0
"""What runs show of a port, put into its state file by the command that ran them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fvhydra.config.root import Config
from fvhydra.core.environment import now
from fvhydra.core.errors import UsageError
from fvhydra.core.files import given_path
from fvhydra.core.port import DEBUG_RED, NON_SKIP_PASS, SCAFFOLD_SKIP, Proof
from fvhydra.core.port_file import keep_evidence, port_path, read_port
from fvhydra.core.verdict import Verdict
from fvhydra.ops.port_commit import Commit, present_commit

if TYPE_CHECKING:
    from fvhydra.core.result import RunResult
    from fvhydra.ops.base import Op
    from fvhydra.ops.context import Context

STATUS_OF = {
    Verdict.PASS: NON_SKIP_PASS,
    Verdict.DONE: NON_SKIP_PASS,
    Verdict.REGRESSION: DEBUG_RED,
    Verdict.INCONCLUSIVE: SCAFFOLD_SKIP,
}
"""What a verdict shows of a port. Others are about the machine or the person, and show nothing."""


@dataclass(frozen=True)
class Shown:
    """What a run shows of one gate of a port.

    Attributes:
        gate: A component, or ``smoke``, ``parity``, ``example``.
        status: One of ``fvhydra.core.port.STATUSES``.
        said: In a sentence.
        numbers: What was measured, JSON.
        against: What was compared with.
    """

    gate: str
    status: str
    said: str
    numbers: dict[str, Any] = field(default_factory=dict)
    against: str = ""


@dataclass(frozen=True)
class _Record:
    """The state file of a job's model, and where the repositories stood when the job began."""

    path: Path
    commit: Commit | None
    engine: Commit | None


class PortRecords:
    """The state files that the jobs of a command add to."""

    def __init__(self) -> None:
        self._records: dict[int, _Record] = {}

    def begin(self, number: int, op: Op, config: Config) -> None:
        """Note where the repositories stand when a job begins, if its model has a state file."""
        ports = given_path(config.runtime.ports_dir)
        if op.uses_model and ports.is_dir() and (path := port_path(ports, config.model.family)).is_file():
            self._records[number] = _Record(path, present_commit(Path.cwd(), ports), engine_commit(config))

    def keep(self, number: int, op: Op, context: Context, result: RunResult) -> list[str]:
        """Write what a job showed; returns sentences for the person.

        A file that is no state of a port is left as it is, and said: the run itself is as good as it was.
        """
        record = self._records.get(number)
        shown = op.shown_of_port(context, result) if record else []
        if record is None or not shown:
            return []
        try:
            proofs = {each.gate: _proof(context, record, each) for each in shown}
            keep_evidence(record.path, proofs)
        except UsageError as error:
            return [f"Nothing was recorded of the port. {error.message}"]
        listed = ", ".join(f"{gate} {proof.status}" for gate, proof in proofs.items())
        return [f"Recorded in {record.path}: {listed}."]


def _proof(context: Context, record: _Record, shown: Shown) -> Proof:
    return Proof(
        status=shown.status,
        said=shown.said,
        command=shlex.join(context.run.manifest["command"]),
        numbers=shown.numbers,
        run=_from_here(context.run.path),
        date=now(),
        commit=record.commit.sha if record.commit else None,
        clean=all(each is None or each.clean for each in (record.commit, record.engine)),
        engine=context.config.engine.name,
        engine_commit=record.engine.sha if record.engine else None,
        weights=context.config.tier.weights,
        against=shown.against,
    )


def engine_commit(config: Config) -> Commit | None:
    """Where the checkout stands that ``engine.path`` names; None where there is none."""
    return present_commit(given_path(config.engine.path)) if config.engine.path is not None else None


def refuse_unagreed(config: Config) -> None:
    """Refuse to go on with a port for which a person has to be asked first.

    Raises:
        UsageError: Names what was not agreed to, or the state file is none.
    """
    path = port_path(given_path(config.runtime.ports_dir), config.model.family)
    if path.is_file() and (open_ones := read_port(path).unagreed()):
        raise UsageError(f"{path}: {open_ones[0]} before anything goes on.", "Ask, and write it there.")


def _from_here(path: Path) -> str:
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.as_posix()
