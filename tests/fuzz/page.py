# SPDX-License-Identifier: Apache-2.0
"""The tables of ``docs/robustness.md``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.conftest import ROOT
from tests.fuzz.rows import Row, table

DOCUMENT = ROOT / "docs" / "robustness.md"
SEED = 0
INPUTS, MISFORTUNES = 1365, 1000
"""How many are asked for: inputs from strangers, faults and kills of stores."""


def shown(rows: Sequence[Row]) -> str:
    """A table with its sum. Of a store's misfortunes how each ended depends on timing, and is left out."""
    promised = [replace(row, outcome=row.outcome.partition("; ")[0]) for row in rows]
    return table([*promised, Row("**all**", sum(row.number for row in rows), "")])


def written(name: str) -> str:
    """A table as the document has it."""
    begin, end = _marks(name)
    return DOCUMENT.read_text(encoding="utf-8").partition(begin)[2].partition(end)[0]


def counted(rows: str) -> list[list[str]]:
    """What a table says was tried, and how often: without the outcomes, which depend on versions of libraries."""
    return [line.split(" | ")[:2] for line in rows.splitlines()]


def renew(name: str, rows: Sequence[Row]) -> None:
    """Put a table into the document."""
    begin, end = _marks(name)
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(begin)
    DOCUMENT.write_text(f"{before}{begin}{shown(rows)}{end}{rest.partition(end)[2]}", encoding="utf-8")


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- {name}: made by make fuzz -->\n", f"<!-- end of {name} -->\n"
