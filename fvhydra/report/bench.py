# SPDX-License-Identifier: Apache-2.0
"""The page of what a run measured of speed and memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fvhydra.core.performance import PerfMeasurement, PerfRatio
from fvhydra.core.result import RunResult
from fvhydra.report import page
from fvhydra.report.wording import MEASURED_COLUMNS, RATIO_COLUMNS, measured_cells, ratio_cells

_LEAST_SPAN = 0.1


def render_bench(result: RunResult, manifest: dict[str, Any]) -> str:
    """The page of ``op=bench``.

    Args:
        result: With its ``measurements`` or ``ratios``.
        manifest: Its ``manifest.json``; every key is optional.
    """
    span = _span(result.ratios)
    rows = [(found, measured_cells(found), _places(found)) for found in result.measurements]
    return page.render(
        "bench.html",
        **page.masthead(result, manifest),
        columns=MEASURED_COLUMNS,
        rows=rows,
        ratio_columns=RATIO_COLUMNS,
        ratios=[(found, ratio_cells(found), _strip(found, span)) for found in result.ratios],
        span=span,
    )


def _places(found: PerfMeasurement) -> list[float]:
    """Where each run is on an axis of 100 from 0 to a tenth more than the highest."""
    most = 1.1 * max(found.samples)
    return [round(100 * value / most, 2) if most > 0 else 0.0 for value in found.samples]


def _span(found: Sequence[PerfRatio]) -> float:
    """How far from 1 the axis goes, which all lines share."""
    return max(_LEAST_SPAN, *(2 * abs(each.ratio - 1) for each in found if each.ratio is not None), 0.0)


def _strip(found: PerfRatio, span: float) -> tuple[float, float, float] | None:
    """The ends of the interval and the ratio, on an axis of 100 that has a ratio of 1 at 50; None without them.

    Ends that lie beyond the axis are at its end.
    """
    if found.ratio is None or found.interval is None:
        return None
    low, high, at = (round(50 + 50 * (value - 1) / span, 2) for value in (*found.interval, found.ratio))
    return max(0.0, low), min(100.0, high), at
