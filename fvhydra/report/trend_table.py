# SPDX-License-Identifier: Apache-2.0
"""Numbers over time in a line each, as a terminal, a page and Markdown show them."""

from __future__ import annotations

from fvhydra.core.trend import Trend
from fvhydra.report.baseline import number, percent

TREND_COLUMNS = ("series", "metric", "points", "latest", "median", "off its best", "steps")


def trend_cells(trend: Trend) -> tuple[str, ...]:
    """A row of the table, as :data:`TREND_COLUMNS`."""
    last = trend.steps[-1] if trend.steps else None
    steps = f"{len(trend.steps)}, last {last.share:+.1%} at {last.time[:10]}" if last else "-"
    drift = f"{percent(trend.drift)}{' drifted' if trend.drifted else ''}"
    name = f"{trend.title} ({trend.unit})" if trend.unit else trend.title
    return trend.series, name, str(trend.points), number(trend.latest), number(trend.median), drift, steps
