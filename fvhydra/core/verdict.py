# SPDX-License-Identifier: Apache-2.0
"""The closed set of outcomes, and what each means for a CI job (``docs/exit_codes.md``)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    """Outcome of a case, of a run, of a sweep. The exit code is part of the interface."""

    DONE = "done"  # the op finished and compares nothing (generate, seed, publish, ...)
    PASS = "pass"  # compared, within tolerance
    REGRESSION = "regression"  # compared, outside tolerance
    USAGE_ERROR = "usage_error"  # nothing ran
    NO_REFERENCE = "no_reference"  # nothing comparable; never a pass
    RECIPE_MISMATCH = "recipe_mismatch"  # the reference was made by another recipe; never a number
    INFRASTRUCTURE = "infrastructure"  # engine crashed, node lost, store unreachable: may be retried
    INCONCLUSIVE = "inconclusive"  # too few or too noisy samples to say
    INTERRUPTED = "interrupted"  # Ctrl-C, SIGTERM

    @property
    def exit_code(self) -> int:
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Verdict.DONE: 0,
    Verdict.PASS: 0,
    Verdict.REGRESSION: 1,
    Verdict.USAGE_ERROR: 2,
    Verdict.NO_REFERENCE: 3,
    Verdict.RECIPE_MISMATCH: 3,
    Verdict.INFRASTRUCTURE: 4,
    Verdict.INCONCLUSIVE: 5,
    Verdict.INTERRUPTED: 130,
}


AGAIN = (Verdict.INTERRUPTED, Verdict.INFRASTRUCTURE, Verdict.USAGE_ERROR)
"""Verdicts on the machine or the person rather than on the output: what came to one runs again."""


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict with the highest exit code; among equals the first. ``INFRASTRUCTURE`` for an empty sequence.

    An empty sequence means that nothing ran to an end, which must never look like a pass.
    """
    return max(verdicts, key=lambda v: v.exit_code, default=Verdict.INFRASTRUCTURE)
