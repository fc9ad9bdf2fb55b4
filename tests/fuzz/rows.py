# SPDX-License-Identifier: Apache-2.0
"""The table of a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One class of what was tried.

    Attributes:
        what: The class.
        number: How many.
        outcome: What came of them.
    """

    what: str
    number: int
    outcome: str


def table(rows: Iterable[Row]) -> str:
    """The rows as Markdown."""
    lines = [f"| {row.what} | {row.number} | {row.outcome} |" for row in rows]
    return "\n".join(["| tried | number | outcome |", "| --- | --- | --- |", *lines]) + "\n"
