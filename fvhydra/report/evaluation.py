# SPDX-License-Identifier: Apache-2.0
"""The page of an evaluation: for each metric its distribution, its worst and best clips, and what it was made with."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fvhydra.config.gates import limit
from fvhydra.core.errors import UsageError
from fvhydra.core.result import GateResult, RunResult
from fvhydra.core.scores import MetricSummary, ScoreRow, read_rows, side_file
from fvhydra.core.untrusted import read_arrays
from fvhydra.report import page
from fvhydra.report.clips import ClipView, clip_view
from fvhydra.report.histogram import Histogram, histogram
from fvhydra.report.media import clip_media
from fvhydra.report.radar import Radar, radar

_WORST, _BEST = 6, 3
_LISTED = 20_000
"""Samples in the page's own table; more would make it slow to open, and ``scores.jsonl`` has them all."""

_SHOWN = ("reference", "video")
"""Keys of a sample that the player shows side by side."""

_NAMED = 3


@dataclass(frozen=True)
class Card:
    """A clip beside its score. ``rank`` says why it is shown: ``worst 1``, ``best 1``."""

    row: ScoreRow
    rank: str
    view: ClipView


@dataclass(frozen=True)
class Reason:
    """Why samples have no value, with some of them by name."""

    code: str
    message: str
    count: int
    samples: list[str]


@dataclass(frozen=True)
class MetricView:
    """What the template needs of a metric, worked out."""

    summary: MetricSummary
    gates: list[GateResult]
    histogram: Histogram | None
    cards: list[Card]
    reasons: list[Reason]
    facts: list[tuple[str, Any]]


def render_evaluation(run_dir: Path, result: RunResult, manifest: dict[str, Any]) -> str:
    """The page of an evaluation.

    Args:
        run_dir: The run folder, with ``scores.jsonl`` and ``frames/``; only read, but for ``report/clips/``.
        result: With its ``metrics`` and ``gates``.
        manifest: Its ``manifest.json``; every key is optional.
    """
    path = run_dir / "scores.jsonl"
    rows = list(read_rows(path)) if path.is_file() else []
    by_metric = {summary.metric: [row for row in rows if row.metric == summary.metric] for summary in result.metrics}
    return page.render(
        "evaluation.html",
        **page.masthead(result, manifest),
        provenance=manifest.get("evaluation") or {},
        views=[_view(run_dir, summary, by_metric[summary.metric], result.gates) for summary in result.metrics],
        radar=_radar(result),
        samples=len({row.sample for row in rows}),
        tags=sorted({tag for row in rows for tag in row.tags}),
        table=_table(run_dir, rows, [summary.metric for summary in result.metrics]),
    )


def _view(
    run_dir: Path, summary: MetricSummary, rows: Sequence[ScoreRow], all_gates: Sequence[GateResult]
) -> MetricView:
    gates = [gate for gate in all_gates if gate.metric == summary.metric]
    values = [row.value for row in rows if row.value is not None]
    limits = [(gate.limit, limit(gate.limit).value) for gate in gates]
    return MetricView(
        summary,
        gates,
        histogram(values, summary.value, limits),
        _cards(run_dir, summary, [row for row in rows if row.value is not None]),
        _reasons(rows),
        _facts(summary, rows),
    )


def _cards(run_dir: Path, summary: MetricSummary, rows: Sequence[ScoreRow]) -> list[Card]:
    """The clips that are worth a look: the worst first, then the best; all of them where they are few."""
    sign = -1.0 if summary.direction == "lower" else 1.0
    ordered = sorted(rows, key=lambda row: (sign * (row.value or 0.0), row.sample))
    ranks = ("lowest", "highest") if summary.direction == "none" else ("worst", "best")
    ends = zip(ranks, (ordered[:_WORST], ordered[_WORST:][-_BEST:][::-1]), strict=True)
    return [
        Card(row, f"{rank} {place}", _clips(run_dir, row, summary.series))
        for rank, chosen in ends
        for place, row in enumerate(chosen, 1)
    ]


def _clips(run_dir: Path, row: ScoreRow, directions: Mapping[str, str]) -> ClipView:
    clips = {key: row.clips[key] for key in _SHOWN if key in row.clips} or dict(list(row.clips.items())[:2])
    series = _series(run_dir, row)
    return clip_view(run_dir, row.sample, clips, series, directions.get(next(iter(series), ""), "none"), row.fps)


def _series(run_dir: Path, row: ScoreRow) -> dict[str, list[float]]:
    """The row's one-dimensional arrays; none where its side file is gone or damaged."""
    path = side_file(run_dir, row.sample)
    if not row.series or not path.is_file():
        return {}
    try:
        arrays = read_arrays(path)
    except UsageError:
        return {}
    found = {name: arrays[f"{row.metric}/{name}"] for name in row.series if f"{row.metric}/{name}" in arrays}
    return {name: values.tolist() for name, values in found.items() if values.ndim == 1 and values.size}


def _reasons(rows: Sequence[ScoreRow]) -> list[Reason]:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        if row.code or row.status != "ok":
            found[f"{row.status}: {row.code}" if row.code else row.status, row.message].append(row.sample)
    return [
        Reason(code, message, len(samples), samples[:_NAMED])
        for (code, message), samples in sorted(found.items(), key=lambda item: -len(item[1]))
    ]


def _facts(summary: MetricSummary, rows: Sequence[ScoreRow]) -> list[tuple[str, Any]]:
    """What the values were made with."""
    facts: list[tuple[str, Any]] = [
        ("lowest and highest", [summary.low, summary.high]),
        ("version", summary.version),
        ("value over all samples", summary.rule),
        ("parameters", summary.params or "none"),
        *((f"weights {name}", asset) for name, asset in summary.assets.items()),
        ("fingerprint of parameters and weights", ", ".join(sorted({row.params for row in rows})) or "none"),
        ("comparable to", ", ".join(summary.comparable_to) or "no published table"),
        ("source", summary.source or "none"),
    ]
    return facts + list(summary.outputs.items())


def _table(run_dir: Path, rows: Sequence[ScoreRow], metrics: Sequence[str]) -> dict[str, Any] | None:
    """Every sample with a number, or the reason that there is none, for each metric; None where they are too many.

    The page's script shows it page by page, so it is kept short: names, then one list a sample.
    """
    column = {metric: index for index, metric in enumerate(metrics)}
    samples: dict[str, dict[str, Any]] = {}
    for row in rows:
        line = samples.setdefault(
            row.sample,
            {"sample": row.sample, "prompt": row.prompt, "tags": row.tags, "url": "", "values": [None] * len(metrics)},
        )
        if not line["url"] and row.clips:
            key = "video" if "video" in row.clips else next(iter(row.clips))
            line["url"] = clip_media(run_dir, key, row.clips[key]).url
        if row.metric in column:
            line["values"][column[row.metric]] = _cell(row)
    if not samples or len(samples) > _LISTED:
        return None
    return {"metrics": list(metrics), "rows": [list(line.values()) for line in samples.values()]}


def _cell(row: ScoreRow) -> float | str | None:
    if row.value is None:
        return row.code or (None if row.status == "ok" else row.status)
    return float(f"{row.value:.6g}") if math.isfinite(row.value) else None


def _radar(result: RunResult) -> Radar | None:
    found: Mapping[str, Any] | None = result.details.get("vbench")
    return radar(found) if found else None
