# SPDX-License-Identifier: Apache-2.0
"""How a moved performance baseline is shown: the same tables at a terminal, on the page and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fvhydra.core.baseline import BaselineMetric, BaselineMove


@dataclass(frozen=True)
class Table:
    """A table of texts. ``title`` stands above it."""

    title: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def baseline_tables(move: BaselineMove) -> list[Table]:
    """The sources and what each becomes; the metrics of the batch, and of the baseline before and after."""
    sources = [
        (source.given, source.timestamp or "-", source.commit_sha[:12] or "-", _yes(source.success), source.path)
        for source in move.sources
    ]
    allowed = "" if move.allowed is None else f", at most {move.allowed:.1%} worse than their median"
    measured = [metric for metric in move.metrics if _has_values(metric)]
    tables = [Table("Records", ("source", "measured", "commit", "success", "record"), sources)]
    if any(metric.values for metric in measured):
        batch = [
            (
                f"{metric.title} ({metric.unit})",
                ", ".join(map(number, metric.values)),
                number(metric.batch_median),
                percent(metric.worst),
                percent(metric.spread),
            )
            for metric in measured
        ]
        head = ("metric", "values", "median", "worst", "spread")
        tables.append(Table(f"Sources{allowed}", head, batch))
    medians = [
        (f"{metric.title} ({metric.unit})", number(metric.before), number(metric.after), _change(metric))
        for metric in measured
    ]
    return [*tables, Table("Baseline", ("metric", "before", "after", "change"), medians)]


def baseline_sentences(move: BaselineMove) -> list[str]:
    """What is said beside the tables."""
    target = ", ".join(f"{key} {value}" for key, value in move.target.items())
    return [
        f"Target: {target}",
        f"Reason: {move.reason}",
        *([move.note] if move.note else []),
        *(f"Warning {warning.name}: {warning.message}" for warning in move.warnings),
        *(f"Still failing: {sentence}" for sentence in move.ceilings),
    ]


def number(value: float | None) -> str:
    """A measurement in six digits; a dash for none."""
    return "-" if value is None else f"{value:g}"


def percent(share: float | None) -> str:
    """A share as per cent; a dash for none."""
    return "-" if share is None else f"{share:.1%}"


def _has_values(metric: BaselineMetric) -> bool:
    return any(value is not None for value in (metric.before, metric.batch_median, metric.after))


def _change(metric: BaselineMetric) -> str:
    if metric.before is None or metric.after is None or metric.before <= 0:
        return "-"
    share = (metric.after - metric.before) / metric.before
    worse = share < 0 if metric.higher_is_better else share > 0
    return f"{share:+.1%}" + (" (worse)" if worse else " (better)" if share else "")


def _yes(value: bool) -> str:
    return "yes" if value else "no"
