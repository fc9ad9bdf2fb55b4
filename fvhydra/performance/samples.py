# SPDX-License-Identifier: Apache-2.0
"""The single runs that a record is the median of: a file beside it, never mixed into it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fvhydra.core import files, untrusted
from fvhydra.core.errors import UsageError
from fvhydra.performance.record import METRICS

SCHEMA_VERSION = 1

MEASURED = "measured"
"""``kind`` of the runs that count; others (``first``, ``warmup``) are kept for the eye."""


@dataclass(frozen=True)
class SampleRun:
    """What a reader needs of a run.

    Attributes:
        kind: ``measured``, or why it does not count.
        values: By the names of records; None is what was not measured.
        moved: In what its conditions were others than those of the other runs. It counts all the same.
    """

    kind: str
    values: dict[str, float | None]
    moved: tuple[str, ...] = ()


@dataclass(frozen=True)
class SamplesFile:
    """A file of runs; ``facts`` is whatever else was written down of them, such as ``ceilings``."""

    runs: tuple[SampleRun, ...]
    schema_version: int = SCHEMA_VERSION
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def measured(self) -> tuple[SampleRun, ...]:
        """The runs that count."""
        return tuple(run for run in self.runs if run.kind == MEASURED)

    @property
    def values(self) -> dict[str, list[float]]:
        """Metric to its values, one for each run that counts and that measured it."""
        return {
            name: [value for run in self.measured if (value := run.values.get(name)) is not None] for name in METRICS
        }

    @property
    def ceilings(self) -> dict[str, float]:
        """Metric to the most that it may be, as the benchmark said when it was measured."""
        given = self.facts.get("ceilings")
        found = given if isinstance(given, dict) else {}
        return {name: float(most) for name, most in found.items() if name in METRICS and isinstance(most, (int, float))}


def write_samples(path: Path, runs: Any, facts: dict[str, Any] | None = None) -> None:
    """Write runs, which have at least the fields of :class:`SampleRun`, atomically."""
    files.write_json(path, {"schema_version": SCHEMA_VERSION, "facts": facts or {}, "runs": runs})


def read_samples(path: Path) -> SamplesFile:
    """Read the runs of a file.

    Raises:
        UsageError: It is missing, of another version, or holds a value that is no number.
    """
    value = untrusted.parse_json(untrusted.read_text(path, "file of single runs"), str(path), any_number=True)
    found = untrusted.typed(SamplesFile, value, f"{path} is not a file of single runs")
    if found.schema_version != SCHEMA_VERSION:
        raise UsageError(f"{path} has schema version {found.schema_version}, this fvhydra reads {SCHEMA_VERSION}.")
    for run in found.runs:
        if odd := next((name for name, value in run.values.items() if not math.isfinite(value or 0)), None):
            raise UsageError(f"{path}: {odd} of a run is no finite number.")
    return found
