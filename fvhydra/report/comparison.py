# SPDX-License-Identifier: Apache-2.0
"""The page of comparing two evaluations: how far each metric moved, and the clips that moved it, side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fvhydra.core.comparison import MetricComparison, Pair, read_pairs
from fvhydra.core.result import GateResult, RunResult
from fvhydra.report import page
from fvhydra.report.clips import ClipView, clip_view
from fvhydra.report.histogram import Histogram, histogram
from fvhydra.report.wording import change_cells

_SHOWN = 8


@dataclass(frozen=True)
class PairCard:
    """A sample in both evaluations; ``outcome`` as :meth:`~fvhydra.core.comparison.Pair.outcome` says."""

    pair: Pair
    outcome: str
    view: ClipView


@dataclass(frozen=True)
class ComparisonView:
    """What the template needs of a metric, worked out. ``cells`` are those of the table."""

    found: MetricComparison
    cells: tuple[str, str, str]
    gates: list[GateResult]
    histogram: Histogram | None
    cards: list[PairCard]


def render_comparison(run_dir: Path, result: RunResult, manifest: dict[str, Any]) -> str:
    """The page of a comparison.

    Args:
        run_dir: The run folder, with ``pairs.jsonl``; only read.
        result: With its ``comparisons`` and ``gates``; ``details["runs"]`` names the two.
        manifest: Its ``manifest.json``; every key is optional.
    """
    path = run_dir / "pairs.jsonl"
    pairs = list(read_pairs(path)) if path.is_file() else []
    views = []
    for found in result.comparisons:
        own = [pair for pair in pairs if pair.metric == found.metric]
        differences = [pair.difference for pair in own if math.isfinite(pair.difference)]
        gates = [gate for gate in result.gates if gate.metric == found.metric]
        runs = [Path(run) for run in result.details.get("runs") or []]
        cards = [_card(run_dir, pair, found.direction, runs) for pair in own[:_SHOWN]]
        views.append(ComparisonView(found, change_cells(found), gates, histogram(differences, found.difference), cards))
    return page.render(
        "comparison.html",
        **page.masthead(result, manifest),
        environment_difference=[(item, []) for item in result.environment_difference or []],
        runs=result.details.get("runs") or [],
        views=views,
    )


def _card(run_dir: Path, pair: Pair, direction: str, runs: Sequence[Path]) -> PairCard:
    clips = {
        side: path
        for side in ("before", "after")
        if (found := pair.clips.get(side)) and (path := found.get("video") or next(iter(found.values())))
    }
    view = clip_view(run_dir, pair.sample, clips, {}, fps=pair.fps, others=runs)
    return PairCard(pair, pair.outcome(direction), view)
