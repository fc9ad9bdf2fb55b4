# SPDX-License-Identifier: Apache-2.0
"""What differs between references and a run, told once instead of once a case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from fvhydra.core.files import canonical_json
from fvhydra.core.result import CaseResult, Difference


def shared(
    cases: Sequence[CaseResult], kind: Literal["environment_difference", "recipe_difference"]
) -> list[tuple[Difference, list[int]]]:
    """Every distinct difference with the indices of the cases that have it, in the order of first appearance."""
    found: dict[str, tuple[Difference, list[int]]] = {}
    for case in cases:
        for difference in getattr(case, kind):
            found.setdefault(canonical_json(difference), (difference, []))[1].append(case.index)
    return list(found.values())
