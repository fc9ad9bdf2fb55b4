# SPDX-License-Identifier: Apache-2.0
"""How far a port is: what its state file says, held to what runs have shown of the present commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from fvhydra.core.port import (
    AFTER_COMPONENTS,
    BLOCKED,
    DEBUG_RED,
    NON_SKIP_PASS,
    PARITY,
    SCAFFOLD_SKIP,
    Component,
    Port,
    Proof,
)

ASK, BACK, ON = "ask_user", "return_to_phase_6", "phase_10_quality_regression"
"""What comes next, as porting tools name it: ask a person, go back to the components, go on to quality."""


@dataclass
class GateState:
    """A component, or what follows the components.

    Attributes:
        name: A component, ``smoke``, ``parity`` or ``example``.
        status: One of ``fvhydra.core.port.STATUSES``.
        passed: Whether a run passed on the present commit.
        why: In a sentence.
        accepted: The escape hatch by which a blocker of it is accepted; empty where none is.
    """

    name: str
    status: str
    passed: bool
    why: str
    accepted: str = ""

    @property
    def lets_through(self) -> bool:
        """Whether the next gate may be looked at."""
        return self.passed or bool(self.accepted)


@dataclass
class PortState:
    """A port and how far it is.

    Attributes:
        path: Of its state file.
        port: What is in it.
        gates: In their order.
        missing: What a person has still to write, a line each.
        next_step: One of :data:`ASK`, :data:`BACK`, :data:`ON`, or the gate that is to be run next.
    """

    path: str
    port: Port
    gates: list[GateState]
    missing: list[str] = field(default_factory=list)
    next_step: str = ASK

    @property
    def first_open(self) -> GateState | None:
        """The first gate that lets nothing through."""
        return next((gate for gate in self.gates if not gate.lets_through), None)

    @property
    def is_ready(self) -> bool:
        """Whether it can be handed over."""
        return self.first_open is None and not self.missing


def port_state(path: str, port: Port, unfilled: list[str], stale: Callable[[Proof], str]) -> PortState:
    """Hold a port to its evidence.

    Args:
        path: Of its state file.
        port: What is in it.
        unfilled: Keys that are not filled in.
        stale: Why evidence does not stand for what is there now; empty where it does.
    """
    parts = {part.name: part for part in port.components}
    gates = [_gate(port, name, parts.get(name), stale) for name in port.gates()]
    if not parts:
        gates.insert(0, GateState("components", SCAFFOLD_SKIP, False, "no component is listed"))
    missing = [*(f"{key} is not filled in" for key in unfilled), *port.unagreed()]
    state = PortState(path, port, gates, missing)
    state.next_step = _next(state)
    return state


def _gate(port: Port, name: str, part: Component | None, stale: Callable[[Proof], str]) -> GateState:
    proof = port.evidence.of(name)
    old = stale(proof) if proof else ""
    if proof and proof.status == NON_SKIP_PASS and not old:
        return GateState(name, NON_SKIP_PASS, True, f"{proof.said} ({proof.date}, {_made_with(proof)})")
    if blockers := port.blockers(name):
        agreed = [port.accepted(key) for key in blockers]
        listed = "; ".join(f"{key}: {issue.what}" for key, issue in blockers.items())
        accepted = ", ".join(agreed) if all(agreed) else ""
        return GateState(name, BLOCKED, False, f"{listed}{_agreement(port, agreed) if accepted else ''}", accepted)
    if proof:
        why = f"{proof.said} ({proof.date})"
        status = SCAFFOLD_SKIP if proof.status == NON_SKIP_PASS else proof.status
        return GateState(name, status, False, f"stale: {old}; it was: {why}" if old else why)
    if part is None and name not in AFTER_COMPONENTS:
        return GateState(name, SCAFFOLD_SKIP, False, "model_index.json requires it, and components lists none")
    return _by_hand(name, part)


def _by_hand(name: str, part: Component | None) -> GateState:
    """Of what no run has shown anything."""
    said = part.parity_status if part else SCAFFOLD_SKIP
    if said == NON_SKIP_PASS:
        return GateState(name, SCAFFOLD_SKIP, False, "the file says that it passes, and no run shows it")
    if said == BLOCKED:
        return GateState(name, BLOCKED, False, f"no issue says what blocks it (issues: blocks: [{name}])")
    return GateState(name, said, False, "so the file says" if said == DEBUG_RED else "nothing was run")


def _made_with(proof: Proof) -> str:
    return f"{proof.weights} weights" + (f", against {proof.against}" if proof.against else "")


def _agreement(port: Port, keys: list[str]) -> str:
    hatches = [(key, port.escape_hatches[key]) for key in dict.fromkeys(keys)]
    return "".join(f"; accepted ({key}) by {hatch.by}: {hatch.reason}" for key, hatch in hatches)


def _next(state: PortState) -> str:
    first = state.first_open
    if state.port.unagreed():
        return ASK
    if first is None:
        return ASK if state.missing else ON
    proof = state.port.evidence.of(first.name)
    if first.name not in AFTER_COMPONENTS or (first.name == PARITY and proof and proof.numbers.get("in component")):
        return BACK
    return ASK if first.status == BLOCKED else first.name
