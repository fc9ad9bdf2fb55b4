# SPDX-License-Identifier: Apache-2.0
"""How far a port is: only runs of the present commit count."""

from __future__ import annotations

from fvhydra.core.port import Component, EscapeHatch, Issue, Port, Proof
from fvhydra.core.port_state import PortState, port_state
from tests.core.test_port_file import proof


def port(**gates: Proof) -> Port:
    found = Port("wan", components=[Component("vae", "vae")])
    for name, each in gates.items():
        if name == "vae":
            found.evidence.components["vae"] = each
        else:
            setattr(found.evidence, name, each)
    return found


def state(found: Port, stale: str = "", unfilled: tuple[str, ...] = ()) -> PortState:
    return port_state("ports/wan.yaml", found, [*unfilled], lambda _: stale)


def test_gates_follow_each_other() -> None:
    passed = proof()
    steps = [
        (port(), "vae", "return_to_phase_6"),
        (port(vae=passed), "smoke", "smoke"),
        (port(vae=passed, smoke=passed), "parity", "parity"),
        (port(vae=passed, smoke=passed, parity=passed), "example", "example"),
        (port(vae=proof("debug_red"), smoke=passed, parity=passed, example=passed), "vae", "return_to_phase_6"),
        (port(vae=passed, smoke=proof("scaffold_skip"), parity=passed, example=passed), "smoke", "smoke"),
    ]
    for found, gate, following in steps:
        first = state(found).first_open
        assert first is not None and (first.name, state(found).next_step) == (gate, following)
        assert not state(found).is_ready
    whole = state(port(vae=passed, smoke=passed, parity=passed, example=passed))
    assert whole.is_ready and whole.next_step == "phase_10_quality_regression"


def test_a_difference_inside_a_component_goes_back() -> None:
    passed, red = proof(), proof("debug_red")
    red.numbers = {"in component": True}
    assert state(port(vae=passed, smoke=passed, parity=red)).next_step == "return_to_phase_6"
    red.numbers = {"in component": False}
    assert state(port(vae=passed, smoke=passed, parity=red)).next_step == "parity"


def test_an_old_pass_is_none_and_is_named() -> None:
    found = state(port(vae=proof()), stale="since commit aaaa there are other a.py")
    assert [gate.passed for gate in found.gates] == [False] * 4
    assert found.gates[0].status == "scaffold_skip"
    assert found.gates[0].why.startswith("stale: since commit aaaa there are other a.py; it was: ok")


def test_a_word_of_a_person_is_no_run() -> None:
    for said, status, why in (
        ("non_skip_pass", "scaffold_skip", "no run shows it"),
        ("debug_red", "debug_red", "so the file says"),
        ("blocked", "blocked", "no issue says what blocks it"),
        ("scaffold_skip", "scaffold_skip", "nothing was run"),
    ):
        found = port()
        found.components[0].parity_status = said
        gate = state(found).gates[0]
        assert (gate.status, gate.passed) == (status, False) and why in gate.why


def test_a_blocker_is_accepted_with_a_reason_and_a_name() -> None:
    passed = proof()
    found = port(vae=passed, smoke=passed, example=passed, parity=proof("debug_red"))
    found.issues = {"I001": Issue("the official side draws other noise", blocks=["parity"])}
    assert state(found).gates[2].status == "blocked" and state(found).next_step == "ask_user"
    found.escape_hatches = {"E001": EscapeHatch("accept_parity_blocker", issue="I001")}
    assert state(found).gates[2].accepted == ""
    assert not state(found).is_ready and "E001 (accept a known blocker of parity) needs" in state(found).missing[0]
    found.escape_hatches["E001"].reason = "..."
    found.escape_hatches["E001"].by = "Ada"
    assert not state(found).is_ready
    found.escape_hatches["E001"].reason = "their generator cannot be seeded"
    assert state(found).is_ready
    assert "accepted (E001) by Ada: their generator cannot be seeded" in state(found).gates[2].why
    found.issues["I002"] = Issue("and another", blocks=["parity"])
    assert not state(found).is_ready
    found.issues["I002"].closed = True
    assert state(found).is_ready
    found.escape_hatches["E001"].kind = "new_workload"
    assert not state(found).is_ready


def test_what_is_not_filled_in_keeps_it_back() -> None:
    passed = proof()
    found = state(port(vae=passed, smoke=passed, parity=passed, example=passed), unfilled=("conversion.source_layout",))
    assert not found.is_ready and found.missing == ["conversion.source_layout is not filled in"]
    assert found.next_step == "ask_user"


def test_without_components_there_is_nothing_to_hand_over() -> None:
    found = Port("wan")
    found.evidence.smoke = found.evidence.parity = found.evidence.example = proof()
    assert state(found).first_open is not None and state(found).next_step == "return_to_phase_6"
