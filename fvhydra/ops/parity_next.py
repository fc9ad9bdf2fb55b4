# SPDX-License-Identifier: Apache-2.0
"""What to try after ``op=parity``, as commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from fvhydra.core.parity import ParityCase
from fvhydra.core.result import NextCommand
from fvhydra.ops.cases import same_words
from fvhydra.ops.context import Context

_TRIED = 2
"""Settings that are suggested to be made equal."""
_SET_ALONE = ("sampling.", "tier.", "engine.options.")


def following(
    context: Context,
    differences: Sequence[tuple[str, str, str]],
    found: Sequence[ParityCase],
    names: Mapping[str, str],
) -> list[NextCommand]:
    """The commands that tell more of what was found.

    Args:
        context: The job.
        differences: Settings that are other: key, here, at the official side.
        found: Its cases.
        names: As ``op.names``.
    """
    diverged = next((case for case in found if case.first is not None), None)
    if diverged is None or diverged.first is None:
        rounded = any(case.equal < case.compared for case in found)
        return [_again(context, "To see where rounding begins", "op.tolerance=0")] if rounded else []
    commands = [
        _again(context, f"To see what remains with the official side's {key}", f"{key}={_plain(there)}")
        for key, _, there in differences
        if key.startswith(_SET_ALONE)
    ][:_TRIED]
    first = diverged.first
    if diverged.proposed:
        given = ", ".join(f"{here}: {there}" for here, there in {**names, **diverged.proposed}.items())
        purpose = "To compare with names proposed by order and shapes, once you have looked at them"
        return [_again(context, purpose, f"op.names={{{given}}}")]
    if first.tensor.startswith("weight "):
        words = ["op=smoke", *same_words(context)]
        return [*commands, NextCommand("To hold the weights to what they declare", _line(words))]
    if diverged.in_component:
        inside = rf"^{re.escape(first.module.partition('.')[0])}\."
        commands.append(_again(context, "To trace all of its modules at all steps", f"op.modules={inside}"))
    return commands


def _again(context: Context, purpose: str, word: str) -> NextCommand:
    """This command with one word more, or another value of it."""
    key = word.partition("=")[0]
    own = [each for each in context.overrides if each.lstrip("+").startswith("op.")]
    kept = [each for each in [*same_words(context), *own] if each.lstrip("+").partition("=")[0] != key]
    return NextCommand(purpose, _line(["op=parity", *kept, word]))


def _line(words: Sequence[str]) -> str:
    return f"python -m fvhydra {shlex.join(words)}"


def _plain(value: str) -> str:
    """As Hydra reads it."""
    return {"None": "null", "True": "true", "False": "false"}.get(value, value)
