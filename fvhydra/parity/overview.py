# SPDX-License-Identifier: Apache-2.0
"""All rows of a comparison at a glance: stage by stage, and from step to step."""

from __future__ import annotations

from collections.abc import Sequence

from fvhydra.core.parity import ParitySeries, ParityStage
from fvhydra.parity.divergence import Compared
from fvhydra.parity.stages import stage_of

MOST_SERIES = 400
"""Tensors of the loop whose differences a result lists step by step."""


def by_stage(rows: Sequence[Compared]) -> list[ParityStage]:
    """Count the rows of each stage, in the order in which the official side comes to it."""
    found: dict[str, ParityStage] = {}
    for each in rows:
        name = stage_of(each.row.module, each.row.tensor).name
        stage = found.setdefault(name, ParityStage(name))
        what = "" if each.difference is None else each.difference.what
        stage.official += what != "extra"
        stage.candidate += what != "missing"
        stage.equal += each.difference is None
        stage.beyond += each.beyond
        stage.relative = _most(stage.relative, _relative(each))
    return list(found.values())


def over_steps(rows: Sequence[Compared]) -> list[ParitySeries]:
    """How far each tensor of the denoising loop is apart at each step, in the order of execution."""
    steps = 1 + max((each.row.step for each in rows if each.row.step is not None), default=-1)
    found: dict[tuple[str, str], ParitySeries] = {}
    for each in rows:
        if each.row.step is None:
            continue
        key = (each.row.module, each.row.tensor)
        series = found.setdefault(key, ParitySeries(*key, relative=[None] * steps))
        series.relative[each.row.step] = _most(series.relative[each.row.step], _relative(each))
    return list(found.values())[:MOST_SERIES]


def _relative(each: Compared) -> float | None:
    """0 where the bytes are equal; None where there is no number."""
    if each.difference is None:
        return 0.0
    return each.difference.distances.relative if each.difference.distances else None


def _most(one: float | None, other: float | None) -> float | None:
    known = [value for value in (one, other) if value is not None]
    return max(known, default=None)
