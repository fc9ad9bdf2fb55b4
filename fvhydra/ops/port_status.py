# SPDX-License-Identifier: Apache-2.0
"""``op=port_status``: how far the port of a model is, and what is missing before it is handed over."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable
from pathlib import Path

from fvhydra.config.op import PortStatusConfig
from fvhydra.config.root import Config
from fvhydra.core.errors import InfrastructureError, UsageError
from fvhydra.core.files import given_path, write_text
from fvhydra.core.port import BLOCKED, DEBUG_RED, EXAMPLE, PARITY, SMOKE, Proof
from fvhydra.core.port_file import port_path, read_port, unfilled
from fvhydra.core.port_state import BACK, GateState, PortState, port_state
from fvhydra.core.result import GateResult, NextCommand, RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.ops.base import Op
from fvhydra.ops.context import Context
from fvhydra.ops.port_commit import changed_since
from fvhydra.report.port import documents

_SHOWN = 5
"""Files that changed, in a message."""


class PortStatus(Op):
    """Reads the state file and the repository. Nothing is generated, and the file stays as it is."""

    config: PortStatusConfig

    def preflight(self, context: Context) -> None:
        """Refuse a state file that is none, and machines that do not have it."""
        if not context.config.launcher.same_environment:
            raise UsageError("op=port_status looks at the repository here.", "Leave launcher= out.")
        read_port(_path(context.config))

    def run(self, context: Context) -> RunResult:
        """Leave the state, as a page and as documents in ``port/``."""
        state = _state(context.config)
        for name, text in documents(state).items():
            write_text(context.run.path / "port" / name, text)
        verdict = Verdict.DONE
        if self.config.require is not None:
            verdict = Verdict.PASS if state.is_ready else Verdict.REGRESSION
        return RunResult(
            op=self.config.name,
            model=context.config.model.name,
            verdict=verdict,
            message=_headline(state),
            gates=[_gate(gate) for gate in state.gates],
            notes=state.missing,
            next_commands=_commands(state, context.config),
            port=state,
        )

    def gpus(self, config: Config) -> int:
        """None is used."""
        return 0


def _path(config: Config) -> Path:
    path = port_path(given_path(config.runtime.ports_dir), config.model.family)
    if not path.exists():
        raise UsageError(
            f"There is no state file of a port of {config.model.family}: {path}.",
            "docs/ports.md shows one; op=scaffold model=<family> writes that of a new family.",
        )
    return path


def _state(config: Config) -> PortState:
    path = _path(config)
    return port_state(str(path), read_port(path), unfilled(path), _staleness(config))


def _staleness(config: Config) -> Callable[[Proof], str]:
    ports = given_path(config.runtime.ports_dir)
    changed = functools.cache(changed_since)

    def since(folder: Path, sha: str, leave_out: Path | None, what: str) -> str:
        try:
            names = changed(folder, sha, leave_out)
        except InfrastructureError:
            return f"commit {sha[:12]} is not in {what}"
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        listed = f"{', '.join(names[:_SHOWN])}{more}"
        return f"since commit {sha[:12]} of {what} there are other {listed}" if names else ""

    def stale(proof: Proof) -> str:
        if proof.commit is None:
            return "it was made outside of a repository"
        if not proof.clean:
            return f"files were other than in commit {proof.commit[:12]} when it was made; commit them first"
        if found := since(Path.cwd(), proof.commit, ports, "this repository"):
            return found
        if proof.engine_commit is None:
            return ""
        if config.engine.path is None:
            return f"its engine was a checkout, at commit {proof.engine_commit[:12]}; add engine.path=<the checkout>"
        return since(given_path(config.engine.path), proof.engine_commit, None, "the engine's checkout")

    return stale


def _gate(gate: GateState) -> GateResult:
    verdict = Verdict.PASS if gate.passed else Verdict.INCONCLUSIVE
    if gate.status in (DEBUG_RED, BLOCKED) and not gate.accepted:
        verdict = Verdict.REGRESSION
    return GateResult(gate.name, gate.name, verdict, f"{gate.status}: {gate.why}")


def _headline(state: PortState) -> str:
    passed = sum(gate.passed for gate in state.gates)
    accepted = sum(bool(gate.accepted) for gate in state.gates)
    said = f"{passed} of {len(state.gates)} gates pass" + (f", {accepted} blocked and accepted" if accepted else "")
    first = state.first_open
    said += f"; the first that does not is {first.name}" if first else ""
    said += f"; {len(state.missing)} thing(s) are missing" if state.missing else ""
    return f"{said}. Next step: {state.next_step}."


def _commands(state: PortState, config: Config) -> list[NextCommand]:
    """The command that shows the gate which is to be run next."""
    back = ["op=parity", "op.scope=components", "op.official={...}"]
    ops = {BACK: back, SMOKE: ["op=smoke"], PARITY: ["op=parity", "op.official={...}"], EXAMPLE: ["op=generate"]}
    if state.next_step not in ops:
        return []
    words = ["fvhydra", *ops[state.next_step], f"model={config.model.name}", f"tier={config.tier.name}"]
    return [NextCommand(f"To show {'components' if state.next_step == BACK else state.next_step}", shlex.join(words))]
