# SPDX-License-Identifier: Apache-2.0
"""The page of what a run measured of speed and memory."""

from __future__ import annotations

from typing import Any

from fvhydra.core.performance import PerfMeasurement
from fvhydra.core.result import RunResult
from fvhydra.report import page
from fvhydra.report.wording import MEASURED_COLUMNS, measured_cells


def render_bench(result: RunResult, manifest: dict[str, Any]) -> str:
    """The page of ``op=bench``.

    Args:
        result: With its ``measurements``.
        manifest: Its ``manifest.json``; every key is optional.
    """
    rows = [(found, measured_cells(found), _places(found)) for found in result.measurements]
    return page.render("bench.html", **page.masthead(result, manifest), columns=MEASURED_COLUMNS, rows=rows)


def _places(found: PerfMeasurement) -> list[float]:
    """Where each run is on an axis of 100 from 0 to a tenth more than the highest."""
    most = 1.1 * max(found.samples)
    return [round(100 * value / most, 2) if most > 0 else 0.0 for value in found.samples]
