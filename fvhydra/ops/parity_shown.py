# SPDX-License-Identifier: Apache-2.0
"""What a comparison of two engines shows of the port of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fvhydra.core.parity import ParityComparison, ParityComponent, ParityTarget
from fvhydra.core.port import PARITY, SCAFFOLD_SKIP
from fvhydra.core.result import RunResult
from fvhydra.ops.port_evidence import STATUS_OF, Shown
from fvhydra.parity.components import not_holding, verdict_of

_NUMBERS = ("max_abs", "mean_abs", "median_abs", "cosine", "relative", "allowed")


def shown_by(result: RunResult, same: bool) -> list[Shown]:
    """Each component that was compared alone, and the outputs, as the gate ``parity``.

    Args:
        result: Of ``op=parity``.
        same: Whether a side was compared with itself, which shows nothing.
    """
    found = result.parity
    if found is None or result.verdict not in STATUS_OF:
        return []
    components = [_shown(name, parts, found, same) for name, parts in _by_name(found.components).items()]
    return [*components, *([_pipeline(result, found, same)] if found.cases else [])]


def _by_name(components: Sequence[ParityComponent]) -> dict[str, list[ParityComponent]]:
    """The parts of each, which are two of a VAE."""
    found: dict[str, list[ParityComponent]] = {}
    for each in components:
        found.setdefault(each.name.partition(".")[0], []).append(each)
    return found


def _shown(name: str, parts: Sequence[ParityComponent], found: ParityComparison, same: bool) -> Shown:
    numbers: dict[str, Any] = {"tolerance": found.tolerance}
    for part in parts:
        numbers |= {f"{part.name} {target.name}": _numbers(target) for target in part.outputs}
    said = not_holding(parts) or f"{len(numbers) - 1} tensor(s) of {name} are within tolerance."
    said = f"Both sides were the same. {said}" if same else said
    return Shown(name, SCAFFOLD_SKIP if same else STATUS_OF[verdict_of(parts)], said, numbers, found.official)


def _pipeline(result: RunResult, found: ParityComparison, same: bool) -> Shown:
    numbers: dict[str, Any] = {"tolerance": found.tolerance}
    for case in found.cases:
        numbers |= {f"case {case.index} {target.name}": _numbers(target) for target in case.targets}
    for case in found.cases:
        if case.first is not None and "first difference" not in numbers:
            numbers["first difference"] = f"{case.first.stage}: {case.first.place}"
            numbers["in component"] = case.in_component
    status = SCAFFOLD_SKIP if same else STATUS_OF[result.verdict]
    said = f"Both sides were the same. {result.message}" if same else result.message
    return Shown(PARITY, status, said, numbers, found.official)


def _numbers(target: ParityTarget) -> dict[str, float | None]:
    return {name: getattr(target, name) for name in _NUMBERS}
