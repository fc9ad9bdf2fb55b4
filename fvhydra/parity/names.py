# SPDX-License-Identifier: Apache-2.0
"""Which module of a candidate may be which of the official side, where the two call them otherwise: a proposal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from fvhydra.engines.base import TracedTensor
from fvhydra.parity.divergence import renamed


def propose_names(
    official: Sequence[TracedTensor], candidate: Sequence[TracedTensor], names: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Pair the modules that only one side has, by the order and the shapes of what they take and give.

    Args:
        official: The rows of the side that is right.
        candidate: Those of the other.
        names: What is known already, as ``op.names``.

    Returns:
        What could be added to ``names``, as few as say it; empty where nothing fits. It is for a person to confirm: two
        modules of one shape cannot be told apart by it.
    """
    left = _modules([row.module for row in official], official)
    right = _modules([renamed(row.module, names or {}) for row in candidate], candidate)
    lonely = [[name for name in one if name not in other] for one, other in ((left, right), (right, left))]
    matcher = SequenceMatcher(
        None, [left[name] for name in lonely[0]], [right[name] for name in lonely[1]], autojunk=False
    )
    pairs = {
        lonely[1][block.b + offset]: lonely[0][block.a + offset]
        for block in matcher.get_matching_blocks()
        for offset in range(block.size)
    }
    return _shortest(pairs)


def _modules(names: Sequence[str], rows: Sequence[TracedTensor]) -> dict[str, tuple[Any, ...]]:
    """Each module with what is known of it beside its name, in the order of execution."""
    found: dict[str, list[Any]] = {}
    for name, row in zip(names, rows, strict=True):
        found.setdefault(name, []).append((row.tensor, row.step, row.call, tuple(row.shape)))
    return {name: tuple(signature) for name, signature in found.items()}


def _shortest(pairs: Mapping[str, str]) -> dict[str, str]:
    """The shortest beginnings of names that come to the same: ``a.0.q: b.0.q`` and ``a.1.q: b.1.q`` are ``a: b``."""
    shortened: dict[str, str] = {}
    for candidate, official in pairs.items():
        here, there = candidate.split("."), official.split(".")
        while len(here) > 1 and len(there) > 1 and here[-1] == there[-1]:
            here.pop()
            there.pop()
        shortened.setdefault(".".join(here), ".".join(there))
    further = {name: official for name, official in pairs.items() if renamed(name, shortened) != official}
    found = shortened | further
    needless = [name for name in found if _without(found, name, pairs)]
    for name in sorted(needless, key=len, reverse=True):
        if _without(found, name, pairs):
            del found[name]
    return found


def _without(found: Mapping[str, str], name: str, pairs: Mapping[str, str]) -> bool:
    """Whether the pairs come out the same without one of the names."""
    rest = {key: value for key, value in found.items() if key != name}
    return all(renamed(candidate, rest) == official for candidate, official in pairs.items())
