# SPDX-License-Identifier: Apache-2.0
"""Where two traces first differ by more than they may.

Rows are paired by module, tensor, step and call, and looked at in the order in which the official side computed them.
A row is equal when its bytes are, and within tolerance when no value of its sample is further away than that share of
the official side's largest absolute value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fvhydra.engines.base import TracedTensor
from fvhydra.parity.distances import Distances, distances
from fvhydra.parity.stages import Stage, stage_of


@dataclass(frozen=True)
class Difference:
    """A row that differs by more than it may.

    Attributes:
        row: The official side's, or the candidate's where the official one has none.
        other: The candidate's; None where there is none.
        what: ``value``, ``shape``, ``missing`` (the candidate has no such row) or ``extra`` (only the candidate has).
        distances: Of the samples; None for other shapes, missing rows and values that are not finite.
    """

    row: TracedTensor
    other: TracedTensor | None
    what: str
    distances: Distances | None = None

    @property
    def stage(self) -> Stage:
        return stage_of(self.row.module, self.row.tensor)

    @property
    def place(self) -> str:
        return place(self.row)


@dataclass(frozen=True)
class Compared:
    """A row with what became of it.

    Attributes:
        row: The official side's, or the candidate's where the official one has none.
        difference: None where the bytes are equal.
        beyond: Whether it differs by more than it may.
    """

    row: TracedTensor
    difference: Difference | None
    beyond: bool


@dataclass(frozen=True)
class Divergence:
    """What came of comparing two traces.

    Attributes:
        first: The first row beyond tolerance; None where there is none.
        last_equal: The row before it, in words; empty where it is the first.
        compared: Rows that both sides have.
        equal: Of those, how many have the same bytes.
        worst: The pair, within tolerance or not, that is furthest apart by its share of the scale.
        further: All rows beyond tolerance, the first included, in order.
        set_aside: Components that both sides call a different number of times, and how often each does. What they take
            and give cannot be paired.
        rows: All that were looked at, in the order of execution; those that only the candidate has come last.
    """

    first: Difference | None
    last_equal: str
    compared: int
    equal: int
    worst: Difference | None
    further: list[Difference] = field(default_factory=list)
    set_aside: dict[str, str] = field(default_factory=dict)
    rows: list[Compared] = field(default_factory=list)


def place(row: TracedTensor) -> str:
    """A row in words."""
    step = "" if row.step is None else f", step {row.step}"
    call = f", call {row.call}" if row.call else ""
    return f"{row.module} {row.tensor}{step}{call}"


def first_divergence(
    official: Sequence[TracedTensor],
    candidate: Sequence[TracedTensor],
    tolerance: float,
    names: Mapping[str, str] | None = None,
) -> Divergence:
    """Compare two traces.

    Args:
        official: The rows of the side that is right, in the order of execution.
        candidate: Those of the other.
        tolerance: By how much values may differ, as a share of the official tensor's largest absolute value.
        names: Module of the candidate to the official side's, for those that are called otherwise.
    """
    named = [(renamed(row.module, names or {}), row) for row in candidate]
    there = {(module, row.tensor, row.step, row.call): row for module, row in named}
    aside = _set_aside(official, [module for module, _ in named], candidate)
    compared = equal = 0
    worst: Difference | None = None
    found: list[Difference] = []
    looked_at: list[Compared] = []
    last_equal = before = ""
    for row in official:
        if _component(row.module) in aside:
            continue
        other = there.pop((row.module, row.tensor, row.step, row.call), None)
        pair = _compared(row, other)
        if other is not None:
            compared += 1
            equal += pair is None
        if pair is not None and pair.distances is not None and _further(pair, worst):
            worst = pair
        beyond = pair is not None and not _allowed(pair, tolerance)
        looked_at.append(Compared(row, pair, beyond))
        if pair is not None and beyond:
            found.append(pair)
            last_equal = last_equal if len(found) > 1 else before
        before = place(row)
    extra = [Difference(row, None, "extra") for (module, *_), row in there.items() if _component(module) not in aside]
    found += extra
    looked_at += [Compared(each.row, each, True) for each in extra]
    return Divergence(found[0] if found else None, last_equal, compared, equal, worst, found, aside, looked_at)


def _compared(row: TracedTensor, other: TracedTensor | None) -> Difference | None:
    """How a pair differs; None where its bytes are equal."""
    if other is None:
        return Difference(row, None, "missing")
    if row.shape != other.shape and (row.shape or row.dtype) and (other.shape or other.dtype):
        return Difference(row, other, "shape")
    if row.sha256 and row.sha256 == other.sha256:
        return None
    if row.sample is not None and other.sample is not None:
        between = distances(row.sample, other.sample)
    else:
        between = _of_numbers(row, other)
    if between is not None and between.max_abs == 0.0 and row.dtype == other.dtype and not row.sha256:
        return None
    return Difference(row, other, "value", between)


def _of_numbers(row: TracedTensor, other: TracedTensor) -> Distances | None:
    """Files keep no values: the numbers that both have stand for them, the sum as a mean. None: one is not finite."""
    count = math.prod(row.shape) if row.shape else None  # a row without a shape may have any number of values
    both = [(row.abs_mean, other.abs_mean), (row.max, other.max)]
    if count and row.sum is not None and other.sum is not None:
        both.append((row.sum / count, other.sum / count))
    if any((left is None) != (right is None) for left, right in both[:1]):
        return None
    known = [pair for pair in both if None not in pair]
    left, right = np.array(known, np.float64).reshape(-1, 2).T
    return distances(left, right) if known else Distances(0.0, 0.0, 0.0, 0.0, 0.0)


def _allowed(pair: Difference, tolerance: float) -> bool:
    if pair.what != "value" or pair.distances is None:
        return False
    if pair.row.dtype.startswith(("int", "uint", "bool")):  # tokens, masks: nothing is rounded
        return pair.distances.max_abs == 0.0
    scale = pair.row.abs_mean if pair.row.max is None else pair.row.max
    return pair.distances.max_abs <= tolerance * (scale or 0.0)


def _further(pair: Difference, worst: Difference | None) -> bool:
    if worst is None or worst.distances is None:
        return True
    return pair.distances is not None and pair.distances.relative > worst.distances.relative


def renamed(module: str, names: Mapping[str, str]) -> str:
    """The official side's name of a module: the longest beginning of its path that has one is replaced.

    >>> renamed("dit.layers.0.attn", {"dit": "transformer", "dit.layers": "transformer.blocks"})
    'transformer.blocks.0.attn'
    """
    for end in sorted(names, key=len, reverse=True):
        if module == end or module.startswith(f"{end}."):
            return names[end] + module[len(end) :]
    return module


def _component(module: str) -> str:
    return module.partition(".")[0]


def _set_aside(
    official: Sequence[TracedTensor], modules: Sequence[str], candidate: Sequence[TracedTensor]
) -> dict[str, str]:
    """Components that compute as many samples on both sides in another number of calls, as with batched guidance."""
    left, right = _calls([row.module for row in official], official), _calls(modules, candidate)
    return {
        name: f"called {len(left[name])} time(s) by the official side, {len(right[name])} by the candidate"
        for name in left.keys() & right.keys()
        if len(left[name]) != len(right[name]) and sum(left[name]) == sum(right[name])
    }


def _calls(modules: Sequence[str], rows: Sequence[TracedTensor]) -> dict[str, list[int]]:
    """Batch sizes of a component's calls."""
    found: dict[str, list[int]] = {}
    for module, row in zip(modules, rows, strict=True):
        if row.tensor == "in.hidden_states" and module == _component(module):
            found.setdefault(module, []).append(row.shape[0] if row.shape else 1)
    return found
