# SPDX-License-Identifier: Apache-2.0
"""Each component of two sides alone on the same inputs, and whether the pipeline may rest on an earlier run of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fvhydra.core.differences import differences
from fvhydra.core.errors import EngineError, UsageError
from fvhydra.core.files import given_path, sha256_file
from fvhydra.core.parity import PASS, ParityComparison, ParityComponent
from fvhydra.core.result import Criterion
from fvhydra.core.run import RunFolder
from fvhydra.engines.components import ComponentRun, RecordedComponent
from fvhydra.ops.cases import decoded
from fvhydra.ops.context import Context
from fvhydra.ops.parity_side import CANDIDATE, OFFICIAL, Side
from fvhydra.parity.components import NEXT_STEP, compare_component, not_holding

FOLDER = "components"
"""Of the run folder: the inputs, a file each."""
DIRTY = "engine.git_dirty"


def compare_components(
    context: Context, sides: Mapping[str, Side], tolerance: float, names: Mapping[str, str]
) -> list[ParityComponent]:
    """Record the first case at the official side, and run each component alone on what it was called with, twice.

    Args:
        context: Of the run.
        sides: Both.
        tolerance: By how much values may differ, as a share of the largest absolute value.
        names: Component of the candidate to what the official side calls it.
    """
    official, candidate = sides[OFFICIAL], sides[CANDIDATE]
    case = decoded(official.cases[0])
    folder = context.run.path / FOLDER
    context.progress.stage("record", case.index, f"{official.name}: {case.prompt}")
    recording = official.engine.record_components(case, folder, context.progress)
    called = {there: here for here, there in names.items()}
    found = []
    for each in recording.components:
        context.progress.stage("component", case.index, each.name)
        part, dot, method = each.name.partition(".")
        other = replace(each, name=f"{called.get(part, part)}{dot}{method}")
        right = _run(official, each, context) if each.file is not None else ComponentRun(why=each.why)
        given = _run(candidate, other, context)
        component = compare_component(each, right, given, tolerance)
        component.file = None if each.file is None else f"{FOLDER}/{each.file.name}"
        found.append(component)
    return found


def _run(side: Side, recorded: RecordedComponent, context: Context) -> ComponentRun:
    """An engine that ends over a component is one that cannot run it; the next one starts it again."""
    try:
        return side.engine.run_component(decoded(side.cases[0]), recorded, None, context.progress)
    except EngineError as error:
        return ComponentRun(why=error.message.rstrip("."))


def component_criteria(components: Sequence[ParityComponent], tolerance: float) -> list[Criterion]:
    """A line for each component; one that the generation does not need passes where it cannot be run."""
    return [
        Criterion(
            f"component {each.name}",
            each.holds,
            f"{each.outcome}{f': {each.why}' if each.why else ''}",
            f"within {tolerance:g} on {each.calls} {each.inputs} call(s)"
            + ("" if each.needed else "; not needed here"),
        )
        for each in components
    ]


def headline(components: Sequence[ParityComponent]) -> str:
    """What came of them, in a sentence; empty where none were compared."""
    if not components:
        return ""
    if wrong := not_holding(components):
        return f"next_step={NEXT_STEP}: {wrong}. The pipeline is not compared before every component passes."
    passed = sum(each.outcome == PASS for each in components)
    left = [f"{each.name} is {each.outcome} and not needed" for each in components if each.outcome != PASS]
    return f"{'; '.join([f'{passed} of {len(components)} components pass', *left])}."


def digest_of(folder: str | None) -> dict[str, str]:
    """The hash of what the run that ``op.components`` names has found."""
    path = None if folder is None else given_path(folder) / "result.json"
    return {"op.components": sha256_file(path)} if path is not None and path.is_file() else {}


def passed_components(folder: str, model: str) -> ParityComparison:
    """What an earlier run found of components, which all hold.

    Args:
        folder: That ``op.components`` names.
        model: Of this job.

    Raises:
        UsageError: It is no such run, is of another model, or a component does not hold: which, and why.
    """
    given = f"op.components={folder}"
    earlier = RunFolder.open(given_path(folder)).result
    if earlier.parity is None or not earlier.parity.components:
        raise UsageError(f"{given} compared no components.", "Give the folder of an op=parity op.scope=components.")
    if earlier.model != model:
        raise UsageError(f"{given} compared components of {earlier.model}, not of {model}.")
    if wrong := not_holding(earlier.parity.components):
        raise UsageError(
            f"The pipeline is not compared while a component does not hold (next_step={NEXT_STEP}): {wrong}.",
            "Mend it there; then run op=parity op.scope=all.",
        )
    return earlier.parity


def refuse_stale(folder: str, earlier: ParityComparison, sides: Mapping[str, Side]) -> None:
    """Refuse components that passed with other sides than those that are here now.

    Raises:
        UsageError: Says what differs.
    """
    found = []
    for name, side in sides.items():
        there, here = earlier.made_with.get(name, {}), side.made_with()
        found += [f"{name} {each.key}: {each.reference} there, {each.run} here" for each in differences(there, here)]
        if "yes" in (there.get(DIRTY), here.get(DIRTY)):
            found.append(f"{name}: its checkout has changes that are in no commit")
    if found:
        raise UsageError(
            f"op.components={folder} passed with other sides (next_step={NEXT_STEP}): {'; '.join(found[:5])}.",
            "Compare the components again: op.scope=all does, before the pipeline.",
        )
