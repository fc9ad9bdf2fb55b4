# SPDX-License-Identifier: Apache-2.0
"""Two sides of one case: their outputs, their arguments and their traces beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fvhydra.core.parity import ParityArgument, ParityCase, ParityDifference, ParityTarget
from fvhydra.core.verdict import Verdict, worst
from fvhydra.engines.base import GeneratedMedia, Trace
from fvhydra.parity.divergence import Difference, Divergence, first_divergence
from fvhydra.parity.overview import by_stage, over_steps
from fvhydra.parity.targets import Allowance, compare_output

MOST_FURTHER = 50
"""Differing tensors that a result lists."""


def compare_sides(
    index: int,
    prompt: str,
    official: Trace,
    candidate: Trace,
    allowance: Allowance,
    names: Mapping[str, str] | None = None,
    truth: GeneratedMedia | None = None,
    no_truth: str = "",
) -> ParityCase:
    """Compare what both sides gave and what they computed on the way.

    Args:
        index: Of the case.
        prompt: Of the case.
        official: The side that is right.
        candidate: The other.
        allowance: By how much values may differ: traced ones by its tolerance, and outputs.
        names: Module of the candidate to the official side's, for those that are called otherwise.
        truth: What the official side gave in a wider dtype.
        no_truth: Why there is none, where it was asked for.
    """
    targets = compare_outputs(official.media, candidate.media, allowance, truth, no_truth)
    found = first_divergence(official.rows, candidate.rows, allowance.tolerance, names)
    differing, same = compare_arguments(official.media.arguments, candidate.media.arguments)
    return ParityCase(
        index=index,
        prompt=prompt,
        targets=targets,
        arguments=differing,
        same_arguments=same,
        verdict=worst([target.verdict for target in targets] or [Verdict.INCONCLUSIVE]),
        **_parts(found),
    )


def deeper(found: ParityCase, inside: ParityCase) -> ParityCase:
    """What is known of a case, with where it first differs by a trace of modules inside the first that differs."""
    known = {(each.module, each.tensor) for each in found.over_steps}
    further = [each for each in inside.over_steps if (each.module, each.tensor) not in known]
    found = replace(found, over_steps=found.over_steps + further)
    return replace(found, first=inside.first, last_equal=inside.last_equal) if inside.first else found


def compare_outputs(
    official: GeneratedMedia,
    candidate: GeneratedMedia,
    allowance: Allowance,
    truth: GeneratedMedia | None = None,
    no_truth: str = "",
) -> list[ParityTarget]:
    """The outputs that either side gave, each by itself: the latent, the frames, the sound."""
    found = []
    for name in ("latent", "frames", "audio"):
        left, right = getattr(official, name), getattr(candidate, name)
        if left is not None or right is not None:
            found.append(compare_output(name, left, right, allowance, getattr(truth, name, None), no_truth))
    return found


def compare_arguments(
    official: Mapping[str, Any], candidate: Mapping[str, Any]
) -> tuple[list[ParityArgument], list[ParityArgument]]:
    """Arguments that differ, and those that do not, by name."""
    differing: list[ParityArgument] = []
    same: list[ParityArgument] = []
    for name in sorted({*official, *candidate}):
        pair = ParityArgument(name, official.get(name), candidate.get(name))
        (same if pair.official == pair.candidate else differing).append(pair)
    return differing, same


def _parts(found: Divergence) -> dict[str, Any]:
    parts = {
        "compared": found.compared,
        "equal": found.equal,
        "beyond": len(found.further),
        "further": [_plain(each) for each in found.further[:MOST_FURTHER]],
        "set_aside": found.set_aside,
        "stages": by_stage(found.rows),
        "over_steps": over_steps(found.rows),
    }
    if found.first is not None:
        stage = found.first.stage
        parts |= {"first": _plain(found.first), "look_at": stage.look_at, "in_component": stage.component}
        parts |= {"last_equal": found.last_equal}
    return parts


def _plain(each: Difference) -> ParityDifference:
    row, other = each.row, each.other
    return ParityDifference(
        stage=each.stage.name,
        place=each.place,
        module=row.module,
        tensor=row.tensor,
        step=row.step,
        call=row.call,
        what=each.what,
        official=None if each.what == "extra" else row.shape,
        candidate=row.shape if each.what == "extra" else None if other is None else other.shape,
        max_abs=each.distances.max_abs if each.distances else None,
        relative=each.distances.relative if each.distances else None,
    )
