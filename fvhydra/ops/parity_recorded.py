# SPDX-License-Identifier: Apache-2.0
"""``op=parity op.trace=... op.official_trace=...``: two traces that were recorded before, with nothing generated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fvhydra.core import files
from fvhydra.core.errors import UsageError
from fvhydra.core.parity import ParityCase
from fvhydra.core.verdict import Verdict
from fvhydra.engines.base import GeneratedMedia, Trace, TracedTensor
from fvhydra.parity.sides import compare_sides
from fvhydra.parity.trace_file import read_trace, statistics_of

_COARSEST_FIRST = ("bfloat16", "float16")


def compare_recorded(
    official: str, candidate: str, tolerance: float | None, tolerances: Mapping[str, float], names: Mapping[str, str]
) -> tuple[ParityCase, float]:
    """Compare two traces of files, ours or FastVideo's.

    Args:
        official: The file of the side that is right.
        candidate: That of the other.
        tolerance: As ``op.tolerance``.
        tolerances: As ``op.tolerances``: where there is no tolerance, the one of the coarsest dtype in the traces.
        names: As ``op.names``.

    Returns:
        What was found, and the tolerance that was allowed.

    Raises:
        UsageError: One is no trace or has no rows, or the two were recorded with other settings.
    """
    rows = {path: _read(option, path) for option, path in (("op.official_trace", official), ("op.trace", candidate))}
    _refuse_other_settings(rows[official], rows[candidate])
    if tolerance is None:
        dtypes = {row.dtype for each in rows.values() for row in each}
        tolerance = tolerances[next((name for name in _COARSEST_FIRST if name in dtypes), "float32")]
    said = f"{Path(official).name} and {Path(candidate).name}"
    left, right = (Trace(GeneratedMedia(), rows[path]) for path in (official, candidate))
    found = compare_sides(0, said, left, right, tolerance, names)
    found.verdict = Verdict.PASS if found.first is None else Verdict.REGRESSION
    return found, tolerance


def _refuse_other_settings(official: Sequence[TracedTensor], candidate: Sequence[TracedTensor]) -> None:
    """Say what two traces of FastVideo were made with otherwise; ours always have everything."""
    if any(row.sha256 for row in [*official, *candidate]):
        return
    here, there = statistics_of(candidate), statistics_of(official)
    if here != there:
        raise UsageError(
            f"The traces were made with other settings: the official side has {', '.join(there)} of each tensor, the "
            f"candidate {', '.join(here)}.",
            "Trace both with the same FASTVIDEO_TRACE_STATS.",
        )


def _read(option: str, given: str) -> list[TracedTensor]:
    rows = read_trace(files.given_path(given))
    if not rows:
        raise UsageError(
            f"{option}={given} has no rows: FastVideo traces nothing, and says nothing, where FASTVIDEO_TRACE_LAYERS "
            "matches no module."
        )
    return rows
