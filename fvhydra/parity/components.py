# SPDX-License-Identifier: Apache-2.0
"""Components of two sides, each alone on the same inputs, and what may rest on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fvhydra.core.parity import BLOCKED, FAIL, MISSING, PASS, ParityComponent, ParityTarget
from fvhydra.core.verdict import Verdict
from fvhydra.engines.components import ComponentOutput, ComponentRun, RecordedComponent
from fvhydra.parity.targets import Allowance, compare_output

NEXT_STEP = "return_to_phase_6"
"""Where a port goes back to while a component does not hold: components are mended there, not in the pipeline."""


def compare_component(
    recorded: RecordedComponent,
    official: ComponentRun,
    candidate: ComponentRun,
    allowance: Allowance,
    truth: ComponentRun | None = None,
) -> ParityComponent:
    """Compare what a component gave at both sides.

    Args:
        recorded: What it was run on.
        official: What the side that is right gave.
        candidate: What the other gave.
        allowance: By how much values may differ.
        truth: What the official side gave in a wider dtype; None where that was not asked for.
    """
    found = ParityComponent(
        recorded.name, recorded.kind, BLOCKED, needed=recorded.needed, inputs=recorded.inputs, calls=recorded.calls
    )
    if candidate.missing:
        found.outcome, found.why = MISSING, candidate.why
    elif recorded.file is None:
        found.why = recorded.why
    elif official.why:
        found.why = f"at the official side: {official.why}"
    elif candidate.why:
        found.why = f"at the candidate: {candidate.why}"
    else:
        found.outputs = _outputs(official.outputs, candidate.outputs, allowance, truth or ComponentRun())
        wrong = [each for each in found.outputs if each.verdict is not Verdict.PASS]
        found.outcome = FAIL if wrong or not found.outputs else PASS
        found.why = _said(wrong[0]) if wrong else "" if found.outputs else "it gave no tensor"
    return found


def verdict_of(components: Sequence[ParityComponent]) -> Verdict:
    """One that fails, or is missing where it is needed, is a regression; one that could not be run leaves it open."""
    outcomes = {each.outcome for each in components if not each.holds}
    if outcomes & {FAIL, MISSING}:
        return Verdict.REGRESSION
    return Verdict.INCONCLUSIVE if outcomes or not components else Verdict.PASS


def not_holding(components: Sequence[ParityComponent]) -> str:
    """Those that do not hold, with the evidence, in words; empty where all do."""
    words = {FAIL: "red", MISSING: "missing", BLOCKED: "blocked"}
    return "; ".join(f"{each.name} is {words[each.outcome]} ({each.why})" for each in components if not each.holds)


def _outputs(
    official: Sequence[ComponentOutput],
    candidate: Sequence[ComponentOutput],
    allowance: Allowance,
    truth: ComponentRun,
) -> list[ParityTarget]:
    wider = {each.name: each.values for each in truth.outputs}
    there = {each.name: each for each in candidate}
    found = []
    for each in official:
        other = there.pop(each.name, None)
        right = None if other is None else other.values
        if other is not None and other.shape != each.shape:  # as many values may be kept of both
            right = other.values[:0]
        target = compare_output(
            each.name, each.values, right, replace(allowance, dtype=each.dtype), wider.get(each.name), truth.why
        )
        target.official, target.candidate = each.shape, None if other is None else other.shape
        found.append(target)
    for name, other in there.items():
        target = compare_output(name, None, other.values, allowance)
        target.candidate = other.shape
        found.append(target)
    return found


def _said(target: ParityTarget) -> str:
    if target.relative is None:
        return f"{target.name}: {target.message.rstrip('.')}"
    if target.candidate_error is not None:
        error = f"is {target.candidate_error:.2g} of its largest value from the truth"
        return f"{target.name} {error}, {target.allowed:.2g} allowed, the official side {target.official_error:.2g}"
    return f"{target.name} differs by {target.relative:.2g} of its largest value, {target.allowed:.2g} allowed"
