# SPDX-License-Identifier: Apache-2.0
"""Markdown tables for a pull request or a CI job summary (GitHub's dialect)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from fvhydra.core.result import Difference, RunResult, SweepJob
from fvhydra.core.text import printable
from fvhydra.core.verdict import Verdict
from fvhydra.report.baseline import baseline_sentences, baseline_tables
from fvhydra.report.differences import shared
from fvhydra.report.measures import headline, worst_first
from fvhydra.report.trend_table import TREND_COLUMNS, trend_cells
from fvhydra.report.wording import (
    COMMIT_COLUMNS,
    MEASURED_COLUMNS,
    PERF_COLUMNS,
    RATIO_COLUMNS,
    TONES,
    change_cells,
    commands,
    commit_cells,
    first_line,
    measured_cells,
    outcome,
    perf_cells,
    perf_name,
    ratio_cells,
    run_name,
    score_cells,
    sentences,
    tally,
    unmeasured,
    value_text,
    verdict_word,
)  # fmt: skip

_LONGEST = 160
_LONGEST_COMMAND = 4_000
"""A command that is cut does something else."""

_SIDES = ("before", "after")
"""Of a comparison of two runs."""


def render_markdown(result: RunResult) -> str:
    """The run as a heading, tables of its cases (worst first) or metrics, and what differs from the references."""
    lines = [f"### {code(run_name(result))}: {_badge(result.verdict)}", ""]
    if result.message:
        lines += [code(first_line(result.message)), ""]
    lines += _differences("Environment", shared(result.cases, "environment_difference"))
    lines += _differences("Recipe", shared(result.cases, "recipe_difference"))
    lines += _differences("Environment", [(item, []) for item in result.environment_difference or []], _SIDES)
    if result.cases:
        rows = [
            [
                str(case.index),
                _badge(case.verdict),
                code(headline(case)),
                "" if case.seed is None else str(case.seed),
                code(case.prompt),
                code(first_line(outcome(case))),
            ]
            for case in worst_first(result.cases)
        ]
        lines += [*_table(("case", "verdict", "number", "seed", "prompt", "message"), rows), ""]
    lines += _bisection(result) + _metrics(result) + _performance(result) + _gates(result) + _baseline(result)
    lines += _trends(result)
    lines += [f"- {code(sentence)}" for sentence in sentences(result)]
    lines += [f"- {next_.purpose}: {code(next_.command, _LONGEST_COMMAND)}" for next_ in commands(result)]
    return "\n".join(lines).rstrip() + "\n"


def render_sweep_markdown(jobs: Sequence[SweepJob]) -> str:
    """The sweep as counts and a table of every job, in the order given."""
    counts = ", ".join(f"{count} {verdict_word(verdict)}" for verdict, count in tally(j.result.verdict for j in jobs))
    rows = [
        [
            str(job.number),
            _badge(job.result.verdict),
            code(job.result.op),
            code(job.result.model),
            code(job.title),
            code(first_line(job.result.message)),
            code(f"{job.folder}/report/index.html"),
        ]
        for job in jobs
    ]
    heading = f"### Sweep of {len(jobs)} job(s): {counts or 'nothing ran'}"
    return "\n".join([heading, "", *_table(("job", "verdict", "op", "model", "title", "message", "report"), rows), ""])


def code(text: str, longest: int = _LONGEST) -> str:
    """``text`` as a code span that also holds inside a table cell.

    A code span is the one inline form in which nothing is interpreted: no HTML, links, mentions or issue numbers.
    Its fence is longer than any run of backticks inside (CommonMark 0.31, 6.1); a bar is escaped for the table (GFM
    4.10), which removes the backslash again.
    """
    line = " ".join(printable(text).split())
    if not line:
        return ""
    if len(line) > longest:
        line = line[: longest - 1] + "…"
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}".replace("|", "\\|")


def _badge(verdict: Verdict) -> str:
    return f"{TONES[verdict][1]} **{verdict_word(verdict)}**"


def _metrics(result: RunResult) -> list[str]:
    """What was measured, or how it moved."""
    tables = (
        (("metric", "value", "samples"), map(score_cells, result.metrics)),
        (("metric", "difference", "wins/losses/ties"), map(change_cells, result.comparisons)),
    )
    lines = []
    for head, cells in tables:
        if rows := [list(map(code, row)) for row in cells]:
            lines += [*_table(head, rows), ""]
    reasons = [f"- {code(metrics)}: {code(why)}" for metrics, why in unmeasured(result)]
    return [*lines, *reasons, ""] if reasons else lines


def _bisection(result: RunResult) -> list[str]:
    found = result.bisection
    if found is None:
        return []
    rows = [[code(cell) for cell in commit_cells(step, found)] for step in found.by_history]
    return [*_table(COMMIT_COLUMNS, rows), ""]


def _performance(result: RunResult) -> list[str]:
    lines: list[str] = []
    if result.measurements:
        lines += [
            *_table(MEASURED_COLUMNS, [list(map(code, measured_cells(each))) for each in result.measurements]),
            "",
        ]
    if result.ratios:
        lines += [*_table(RATIO_COLUMNS, [list(map(code, ratio_cells(each))) for each in result.ratios]), ""]
    for found in result.performance:
        rows = [list(map(code, perf_cells(metric))) for metric in found.metrics]
        name = f"{code(perf_name(found))}: {_badge(found.verdict)} {code(found.reason)}"
        lines += [name, "", *_table(PERF_COLUMNS, rows), ""]
    return lines


def _gates(result: RunResult) -> list[str]:
    if not result.gates:
        return []
    rows = [
        [code(f"{gate.metric} {gate.limit}"), _badge(gate.verdict), code(gate.message), code(", ".join(gate.worst))]
        for gate in result.gates
    ]
    return [*_table(("gate", "verdict", "message", "worst samples"), rows), ""]


def _baseline(result: RunResult) -> list[str]:
    lines = []
    for move in result.baselines:
        for table in baseline_tables(move):
            lines += [f"{table.title}:", "", *_table(table.head, [list(map(code, row)) for row in table.rows]), ""]
        lines += [*(f"- {code(sentence)}" for sentence in baseline_sentences(move)), ""]
    return lines


def _trends(result: RunResult) -> list[str]:
    rows = [list(map(code, trend_cells(trend))) for trend in result.trends]
    return [*_table(TREND_COLUMNS, rows), ""] if rows else []


def _differences(
    title: str, found: Sequence[tuple[Difference, list[int]]], sides: tuple[str, str] = ("reference", "this run")
) -> list[str]:
    if not found:
        return []
    whose = "between the two" if sides == _SIDES else "from the reference's"
    rows = [[code(d.key), code(value_text(d.reference)), code(value_text(d.run))] for d, _ in found]
    return [f"{title} differs {whose}:", "", *_table(("key", *sides), rows), ""]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
