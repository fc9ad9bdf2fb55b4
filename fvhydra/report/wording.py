# SPDX-License-Identifier: Apache-2.0
"""How reports spell verdicts, numbers and text that came from outside."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from fvhydra.core.bisection import Bisection, Step
from fvhydra.core.comparison import MetricComparison
from fvhydra.core.performance import PerfComparison, PerfMeasurement, PerfMetric, PerfRatio
from fvhydra.core.result import CaseResult, NextCommand, RunResult
from fvhydra.core.scores import MetricSummary
from fvhydra.core.verdict import Verdict

TONES = {
    Verdict.DONE: ("neutral", "•"),
    Verdict.PASS: ("good", "✓"),
    Verdict.REGRESSION: ("bad", "✕"),
    Verdict.USAGE_ERROR: ("error", "!"),
    Verdict.NO_REFERENCE: ("warn", "?"),
    Verdict.RECIPE_MISMATCH: ("warn", "≠"),
    Verdict.INFRASTRUCTURE: ("error", "!"),
    Verdict.INCONCLUSIVE: ("warn", "~"),
    Verdict.INTERRUPTED: ("error", "■"),
}
"""Verdict to (tone, glyph): the tone picks the colour, the glyph and the word say the same without it."""

SUCCESS = (Verdict.PASS, Verdict.DONE)


def sentences(result: RunResult) -> list[str]:
    """What a run says to the person: its notes, and what became of its change."""
    return [*result.notes, *(result.change.said if result.change else [])]


def commands(result: RunResult) -> list[NextCommand]:
    """What the person may want to run next."""
    publish = result.change.publish if result.change else None
    return [*result.next_commands, *([publish] if publish else [])]


def outcome(case: CaseResult) -> str:
    """What came of a case, or what is going to be done with it."""
    return case.message or case.planned


def first_line(text: str) -> str:
    """The first non-empty line of ``text``, stripped."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def verdict_word(verdict: Verdict) -> str:
    """``no reference`` for ``no_reference``."""
    return verdict.value.replace("_", " ")


def tally(verdicts: Iterable[Verdict]) -> list[tuple[Verdict, int]]:
    """How many there are of each verdict, the worst verdict first."""
    counts = Counter(verdicts)
    return sorted(counts.items(), key=lambda item: -item[0].exit_code)


def number(value: float | None) -> str:
    """A measured value to about four places; ``infinite`` for an infinite one, ``not measured`` for None."""
    if value is None:
        return "not measured"
    if value == 0 or not math.isfinite(value):
        return f"{value:g}".replace("inf", "infinite")
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e5 else f"{value:.2e}"


def value_text(value: Any) -> str:
    """A recorded JSON value as one line: shapes as ``1 × 128 × 6``, long lists cut, objects as JSON."""
    if value is None:
        return "none"
    if isinstance(value, (list, tuple)):
        if value and all(isinstance(item, int) for item in value):
            return " × ".join(str(item) for item in value)
        head = ", ".join(value_text(item) for item in value[:6])
        return f"[{head}, … {len(value)} values]" if len(value) > 6 else f"[{head}]"
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def arrow(direction: str) -> str:
    """Which way is better."""
    return {"higher": "↑", "lower": "↓"}.get(direction, "·")


def span(interval: tuple[float, float] | None) -> str:
    """An interval in brackets; empty where there is none."""
    return f"[{number(interval[0])}, {number(interval[1])}]" if interval else ""


def total_text(found: MetricSummary) -> str:
    """A metric's value over all samples, with its unit."""
    if found.value is None:
        return "infinite" if found.infinite else "none"
    return number(found.value) if found.unit == "1" else f"{number(found.value)} {found.unit}"


def score_cells(found: MetricSummary) -> tuple[str, str, str]:
    """A line of the table ``metric, value, samples``: name and direction, value with its interval, counts."""
    value = " ".join(filter(None, (total_text(found), span(found.interval))))
    counts = [f"{found.counts[name]} {name}" for name in ("ok", "skipped", "failed") if found.counts.get(name)]
    if found.infinite:
        counts[0] += f", {found.infinite} of them infinite"
    reasons = f" ({', '.join(found.reasons)})" if found.reasons else ""
    return f"{found.metric} {arrow(found.direction)}", value, ", ".join(counts or ["none"]) + reasons


def change_cells(found: MetricComparison) -> tuple[str, str, str]:
    """A line of the table ``metric, difference, wins/losses/ties``: how far it moved."""
    name = f"{found.metric} {arrow(found.direction)}"
    if not found.is_compared:
        return name, "not compared", ""
    difference = "no finite difference"
    if found.difference is not None:
        ends = f"{end_text(found.before)} → {end_text(found.after)}"
        difference = f"{' '.join(filter(None, (f'{found.difference:+.4g}', span(found.interval))))}, {ends}"
    pairs = f"{found.pairs} pairs{f' ({found.infinite} infinite)' if found.infinite else ''}"
    if found.wins is None:
        return name, difference, pairs if found.pairs else "one value each"
    p_value = "" if found.p_value is None else f", p = {found.p_value:.2g}"
    return name, difference, f"{found.wins}/{found.losses}/{found.ties} of {pairs}{p_value}"


PERF_COLUMNS = ("metric", "now", "baseline", "change", "allowed", "verdict")
"""Of the table of a performance record."""


def perf_name(found: PerfComparison) -> str:
    """What a performance record is of, for headings."""
    weights = "" if found.weights == "real" else f", {found.weights} weights"
    return f"{found.model_id} on {found.gpu_type}{weights}"


def perf_cells(found: PerfMetric) -> tuple[str, ...]:
    """A line of the table :data:`PERF_COLUMNS`."""
    between = "" if found.interval is None else f" [{found.interval[0]:+.1%}, {found.interval[1]:+.1%}]"
    word = "" if found.verdict is None else verdict_word(found.verdict)
    said = (word, "over the ceiling" if found.over_ceiling else "", found.message)
    return (
        f"{found.title} {arrow('higher' if found.higher_is_better else 'lower')}",
        _quantity(found.current, found.unit),
        _quantity(found.baseline, found.unit),
        "" if found.change is None else f"{found.change:+.1%}{between}",
        _allowed(found),
        "; ".join(filter(None, said)),
    )


def _allowed(found: PerfMetric) -> str:
    """By how much it may move, and what it may be at most."""
    most = [] if found.ceiling is None else [f"<= {_quantity(found.ceiling, found.unit)}"]
    if not found.gated:
        return ", ".join(["any", *most])
    return ", ".join([*([] if found.allowed_change is None else [f"{found.allowed_change:+.1%}"]), *most])


MEASURED_COLUMNS = ("measured", "median", "lowest to highest", "of the latency")
"""Of the table of what a run measured."""


def measured_cells(found: PerfMeasurement) -> tuple[str, ...]:
    """A line of the table :data:`MEASURED_COLUMNS`."""
    between = f"{_quantity(min(found.samples), '').strip()} to {_quantity(max(found.samples), found.unit)}"
    share = "" if found.share is None else f"{100 * found.share:.1f} %"
    return found.title, _quantity(found.median, found.unit), between, share


RATIO_COLUMNS = ("measured", "this", "against", "ratio", "95 % interval", "claim")
"""Of the table of two sides."""


def ratio_cells(found: PerfRatio) -> tuple[str, ...]:
    """A line of the table :data:`RATIO_COLUMNS`."""
    between = "" if found.interval is None else f"{found.interval[0]:.3f} to {found.interval[1]:.3f}"
    return (
        f"{found.title} {arrow('higher' if found.higher_is_better else 'lower')}",
        _quantity(found.this, found.unit),
        _quantity(found.against, found.unit),
        "" if found.ratio is None else f"{found.ratio:.3f}",
        between,
        found.claim or "none",
    )


def _quantity(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{value:,.0f} {unit}" if abs(value) >= 1000 else f"{value:.4g} {unit}"


def end_text(value: float | None) -> str:
    """A side of a pair, which may be infinite."""
    return "infinite" if value is None else number(value)


def unmeasured(result: RunResult) -> list[tuple[str, str]]:
    """Why metrics have no value, or were not compared: metrics and reason. Reasons are too long for a table's cell."""
    found: dict[str, list[str]] = {}
    measured = [(item.metric, item.message) for item in result.metrics]
    for metric, message in measured + [(item.metric, item.message) for item in result.comparisons]:
        if message:
            found.setdefault(message, []).append(metric)
    return [(", ".join(metrics), message) for message, metrics in found.items()]


def case_name(case: CaseResult) -> str:
    """What tells a case from its neighbours in one run: index, seed if it is known, and prompt, in one line."""
    seed = "" if case.seed is None else f" seed {case.seed}"
    return f"#{case.index}{seed}: {' '.join(case.prompt.split())}"


def run_name(result: RunResult) -> str:
    """Op and model, for titles."""
    return f"{result.op} · {result.model}" if result.model else result.op


def sweep_name(results: Sequence[RunResult]) -> str:
    """The op and the model where all jobs share them, and how many jobs there are."""
    same = [values.pop() for values in ({r.op for r in results}, {r.model for r in results}) if len(values) == 1]
    return " · ".join([*filter(None, same), f"{len(results)} job{'' if len(results) == 1 else 's'}"])


COMMIT_COLUMNS = ("commit", "outcome", "checks", "subject", "found")
"""Of the table of commits that a search looked at, from the good end to the bad one."""


def commit_cells(step: Step, found: Bisection) -> tuple[str, ...]:
    """The cells of :data:`COMMIT_COLUMNS`."""
    first = found.first_bad is not None and found.first_bad.sha == step.commit.sha
    outcome = f"{step.outcome}, the first" if first else step.outcome
    return step.commit.short, outcome, str(len(step.attempts)), step.commit.subject, first_line(step.message)
