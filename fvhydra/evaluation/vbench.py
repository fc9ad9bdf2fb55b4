# SPDX-License-Identifier: Apache-2.0
"""An evaluation on VBench's leaderboard: its sixteen dimensions and their totals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fvhydra.core.scores import MetricSummary
from fvhydra.metrics.functional.vbench.leaderboard import DIMENSIONS, Leaderboard, leaderboard
from fvhydra.metrics.functional.vbench.published import COLUMNS, SOURCE

_FAMILY = "vbench."


def standing(summaries: Sequence[MetricSummary]) -> dict[str, Any] | None:
    """The dimensions that were measured, what is missing, and the totals where nothing is; JSON.

    Only metrics by VBench's own names count: a variant has its own id, and is another measure.

    Returns:
        ``columns``: this run first, then published ones where this run is complete; each with ``name``, ``values`` and
        ``normalised`` by dimension, ``quality``, ``semantic``, ``total``. ``missing``: dimensions. None where none of
        the sixteen was measured.
    """
    values = {
        name: value
        for summary in summaries
        if (name := summary.metric.removeprefix(_FAMILY)) in DIMENSIONS
        and summary.metric.startswith(_FAMILY)
        and (value := _on_its_prompts(summary, name)) is not None
    }
    if not values:
        return None
    own = leaderboard(values)
    columns = [_column("this run", values, own)]
    if not own.missing:
        columns += [_column(model, published, leaderboard(published)) for model, published in COLUMNS.items()]
    return {
        "dimensions": list(DIMENSIONS),
        "columns": columns,
        "missing": list(own.missing),
        "source": SOURCE,
    }


def _on_its_prompts(summary: MetricSummary, dimension: str) -> float | None:
    """The value over the prompts that belong to a dimension; over all samples where no prompt says what it is for."""
    if not any(tag.startswith("dimension=") for tag in summary.by_tag):
        return summary.value
    return summary.by_tag.get(f"dimension={dimension}", {}).get("value")


def _column(name: str, values: Mapping[str, float], found: Leaderboard) -> dict[str, Any]:
    normalised = {key: value / DIMENSIONS[key].weight for key, value in found.normalised.items()}
    scores = {"quality": found.quality, "semantic": found.semantic, "total": found.total}
    return {"name": name, "values": dict(values), "normalised": normalised, **scores}
