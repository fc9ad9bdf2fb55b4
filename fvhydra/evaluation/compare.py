# SPDX-License-Identifier: Apache-2.0
"""Comparing two evaluations sample by sample: paired differences are not hidden by the spread between samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from fvhydra.core.comparison import MetricComparison, Pair
from fvhydra.core.errors import UsageError
from fvhydra.core.scores import MetricSummary, ScoreRow, read_rows
from fvhydra.core.text import printable
from fvhydra.core.untrusted import read_json, typed
from fvhydra.evaluation.bootstrap import interval

_MERGED = "merged-eval"
"""In the folder of a sweep over shards, see :func:`fvhydra.launch.merge.merge`."""


@dataclass(frozen=True)
class _How:
    device: str = ""
    conversion: str = ""
    libraries: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Manifest:
    """What is read of an evaluation's manifest."""

    environment: dict[str, str] = field(default_factory=dict)
    evaluation: _How = _How()


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation: its folder, and what is in it by metric."""

    folder: Path
    summaries: Mapping[str, MetricSummary]
    rows: Mapping[str, Mapping[str, ScoreRow]]
    """By metric and sample; only those that have a value, infinite ones among them."""
    facts: Mapping[str, str] | None = None
    """What it was made with: libraries, device, machine. None where it does not say."""


def read_evaluation(folder: Path) -> Evaluation:
    """Read what op=eval left behind; of a sweep over shards, what they were merged into.

    Raises:
        UsageError: The folder is not one of a finished evaluation.
    """
    if (folder / _MERGED / "summary.json").is_file():
        folder /= _MERGED
    if not (folder / "summary.json").is_file() or not (folder / "scores.jsonl").is_file():
        raise UsageError(
            f"{folder} is not a finished evaluation: it has no summary.json and scores.jsonl.",
            "Give two folders that op=eval left behind: runs=[<before>,<after>]",
        )
    table = folder / "summary.json"
    summaries = typed(list[MetricSummary], read_json(table), f"{table} is not a summary")
    rows: dict[str, dict[str, ScoreRow]] = {summary.metric: {} for summary in summaries}
    for row in read_rows(folder / "scores.jsonl"):
        if row.number is not None:
            rows.setdefault(row.metric, {})[row.sample] = row
    return Evaluation(folder, {summary.metric: summary for summary in summaries}, rows, _facts(folder))


def _facts(folder: Path) -> Mapping[str, str] | None:
    path = folder / "manifest.json"
    if not path.is_file():
        return None
    manifest = typed(_Manifest, read_json(path), f"{path} is not the manifest of an evaluation")
    if not manifest.environment:
        return None
    how = manifest.evaluation
    known = {"metrics.device": how.device, "conversion": how.conversion, **how.libraries}
    return {**manifest.environment, **{name: value for name, value in known.items() if value}}


def compare_evaluations(before: Evaluation, after: Evaluation) -> tuple[list[MetricComparison], list[Pair]]:
    """Compare every metric of either evaluation.

    Returns:
        A comparison for each metric, those that were compared first; and all pairs.
    """
    metrics = [*before.summaries, *(metric for metric in after.summaries if metric not in before.summaries)]
    found = [_compared(metric, before, after) for metric in metrics]
    comparisons = sorted((comparison for comparison, _ in found), key=lambda item: bool(item.message))
    return comparisons, [pair for _, pairs in found for pair in pairs]


def _compared(metric: str, before: Evaluation, after: Evaluation) -> tuple[MetricComparison, list[Pair]]:
    summary = before.summaries.get(metric) or after.summaries[metric]
    facts: dict[str, Any] = {
        "metric": metric, "title": summary.title, "direction": summary.direction, "unit": summary.unit,
    }  # fmt: skip
    if message := _incomparable(metric, before, after):
        return MetricComparison(**facts, message=message), []
    if summary.kind == "set":
        ends = before.summaries[metric].value, after.summaries[metric].value
        if ends[0] is None or ends[1] is None:
            side = "before" if ends[0] is None else "after"
            return MetricComparison(**facts, message=f"it has no value {side}"), []
        return MetricComparison(**facts, before=ends[0], after=ends[1], difference=ends[1] - ends[0]), []
    rows = before.rows[metric], after.rows[metric]
    shared = sorted(rows[0].keys() & rows[1].keys())
    unpaired = len(rows[0]) - len(shared), len(rows[1]) - len(shared)
    if not shared:
        return MetricComparison(**facts, unpaired=unpaired, message=_apart(*rows)), []
    pairs = [_pair(rows[0][sample], rows[1][sample], before.folder, after.folder) for sample in shared]
    return _statistics(facts, pairs, unpaired), pairs


def _apart(before: Mapping[str, ScoreRow], after: Mapping[str, ScoreRow]) -> str:
    """Why there are no pairs, with an id of each side, since the same clips may have other names."""
    if not before or not after:
        return f"no sample has a value {'after' if before else 'before'}"
    names = f"{printable(min(before))} is only before, {printable(min(after))} only after"
    return f"no sample has a value in both: {names}, for example"


def _statistics(facts: Mapping[str, Any], pairs: Sequence[Pair], unpaired: tuple[int, int]) -> MetricComparison:
    outcomes = [pair.outcome(facts["direction"]) for pair in pairs]
    wins, losses = outcomes.count("better"), outcomes.count("worse")
    finite = [(pair.before, pair.after) for pair in pairs if pair.before is not None and pair.after is not None]
    differences = [pair.difference for pair in pairs if math.isfinite(pair.difference)]
    counted = facts["direction"] != "none"
    return MetricComparison(
        **facts,
        pairs=len(pairs),
        infinite=len(pairs) - len(finite),
        unpaired=unpaired,
        before=fmean(before for before, _ in finite) if finite else None,
        after=fmean(after for _, after in finite) if finite else None,
        difference=fmean(differences) if differences else None,
        interval=interval(differences),
        wins=wins if counted else None,
        losses=losses if counted else None,
        ties=outcomes.count("equal"),
        p_value=sign_test(wins, losses) if counted else None,
    )


def sign_test(wins: int, losses: int) -> float:
    """Two-sided sign test: how likely a split at least as uneven is when either outcome is as likely as the other.

    Source: J. Arbuthnot (1710); exact binomial, ties left out.

    Example:
        >>> sign_test(5, 0), sign_test(3, 3)
        (0.0625, 1.0)
    """
    total = wins + losses

    def log_probability(count: int) -> float:
        choose = math.lgamma(total + 1) - math.lgamma(count + 1) - math.lgamma(total - count + 1)
        return choose - total * math.log(2)

    tail = math.fsum(math.exp(log_probability(count)) for count in range(min(wins, losses) + 1))
    return min(1.0, round(2 * tail, 12))


def _incomparable(metric: str, before: Evaluation, after: Evaluation) -> str:
    """Why values of the two are no values of the same measure; empty when they are."""
    first, second = before.summaries.get(metric), after.summaries.get(metric)
    if first is None or second is None:
        return f"measured only {'after' if first is None else 'before'}"
    if first.version != second.version:
        return f"version {first.version} before and {second.version} after: their values are never mixed"
    different = [key for key in {**first.params, **second.params} if first.params.get(key) != second.params.get(key)]
    if different:
        sides = ((key, first.params.get(key), second.params.get(key)) for key in different)
        return "its parameters differ: " + ", ".join(
            f"{key} {one} before and {other} after" for key, one, other in sides
        )
    hashes = [{row.params for row in side.rows.get(metric, {}).values()} for side in (before, after)]
    if len(hashes[0] | hashes[1]) > 1 or first.assets != second.assets:
        return f"its weights differ: {_weights(first.assets)} before and {_weights(second.assets)} after"
    return ""


def _weights(assets: Mapping[str, Mapping[str, Any]]) -> str:
    return ", ".join(f"{name} {asset.get('revision')}" for name, asset in assets.items()) or "none recorded"


def _pair(before: ScoreRow, after: ScoreRow, *folders: Path) -> Pair:
    sides = zip(("before", "after"), (before, after), folders, strict=True)
    return Pair(
        metric=before.metric,
        sample=before.sample,
        before=before.value,
        after=after.value,
        clips={side: _absolute(row.clips, folder) for side, row, folder in sides},
        fps=after.fps or before.fps,
        prompt=after.prompt or before.prompt,
        tags=list(dict.fromkeys([*before.tags, *after.tags])),
    )


def _absolute(clips: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Paths of clips of another folder, made absolute."""
    return {key: str((folder / path).absolute()) for key, path in clips.items()}
