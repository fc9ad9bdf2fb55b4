# SPDX-License-Identifier: Apache-2.0
"""Checks of what an engine has loaded. What was not run is never a pass."""

from __future__ import annotations

from dataclasses import dataclass

PASS, FAIL, NOT_RUN = "pass", "fail", "not run"


@dataclass
class Check:
    """One check.

    Attributes:
        name: What is looked at.
        outcome: ``pass``, ``fail`` or ``not run``.
        given: What was found, or why it was not run.
        allowed: What passes.
    """

    name: str
    outcome: str
    given: str
    allowed: str = ""


def check(name: str, passed: bool, given: str, allowed: str) -> Check:
    """A check that was run."""
    return Check(name, PASS if passed else FAIL, given, allowed)


def listed(names: list[str], most: int = 10) -> str:
    """The first names with their count, for people."""
    if not names:
        return "none"
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return f"{len(names)}: {', '.join(names[:most])}{more}"
