# SPDX-License-Identifier: Apache-2.0
"""What a person sees while jobs run and when they have ended. Progress goes to stderr, results to stdout."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

from fvhydra.core.result import CaseResult, ChangeStatus, RunResult
from fvhydra.core.text import printable
from fvhydra.core.verdict import AGAIN, Verdict
from fvhydra.report.baseline import baseline_sentences, baseline_tables
from fvhydra.report.measures import measured_values
from fvhydra.report.trend_table import TREND_COLUMNS, trend_cells
from fvhydra.report.wording import (
    COMMIT_COLUMNS,
    MEASURED_COLUMNS,
    PERF_COLUMNS,
    RATIO_COLUMNS,
    change_cells,
    commands,
    commit_cells,
    measured_cells,
    number,
    outcome,
    perf_cells,
    perf_name,
    ratio_cells,
    score_cells,
    sentences,
    unmeasured,
)

if TYPE_CHECKING:
    from fvhydra.launch.dry_run import PlannedJob

_STYLES = {0: "green", 1: "bold red", 130: "yellow"}
_PROMPT_WIDTH = 60
_BAR_WIDTH = 20
_SILENT_S = 30
"""Seconds after which a log is told where a stage is; CI systems end jobs that say nothing."""


class Stream(Console):
    """A stream on which text from outside is only text: every string passes :func:`printable` on its way.

    With ``NO_COLOR`` it has no styles at all, bold and dim included: rich alone would only leave out the colours.
    """

    def __init__(self, stderr: bool = False) -> None:
        colours: Any = None if os.environ.get("NO_COLOR") else "auto"
        super().__init__(stderr=stderr, color_system=colours, highlight=False, emoji=False, soft_wrap=True)

    def render_str(self, text: str, **options: Any) -> Text:
        """What rich makes of each string that it is given, those in a table included."""
        return super().render_str(printable(text), **options)


class Terminal:
    """Both streams of one command."""

    def __init__(self) -> None:
        self.out = Stream()
        self.err = Stream(stderr=True)

    @property
    def interactive(self) -> bool:
        """Whether both stdin and stdout are a terminal, so that a person can be asked."""
        return sys.stdin.isatty() and sys.stdout.isatty()

    def ask(self, question: str) -> str:
        """Show a question, return what was typed; end of input is an empty answer."""
        try:
            return input(printable(question)).strip()
        except EOFError:
            return ""

    def error(self, message: str, hint: str = "") -> None:
        """An error in one sentence, and what to do next."""
        self.err.print(f"[bold red]error:[/] {escape(message)}")
        if hint:
            self.err.print(f"  {escape(hint)}")

    def say(self, sentences: Sequence[str]) -> None:
        """Print sentences, one a line."""
        for sentence in sentences:
            self.out.print(escape(sentence))

    # ------------------------------------------------------------------ progress
    @contextmanager
    def watch(self, mode: str, title: str) -> Iterator[Lines | Bars]:
        """Show the progress of one job."""
        with self.board(mode) as board:
            yield board.listen(title)

    @contextmanager
    def board(self, mode: str) -> Iterator[Board]:
        """Show the progress of any number of jobs: ``bars`` at a terminal, ``lines`` elsewhere, ``none``, ``auto``."""
        mode = self.progress_mode(mode)
        board = Board(self.err, mode)
        with board.display if mode == "bars" else nullcontext():
            yield board

    def progress_mode(self, mode: str) -> str:
        """What ``auto`` means here; any other mode is itself."""
        if mode != "auto":
            return mode
        plain = os.environ.get("CI") or os.environ.get("TERM") == "dumb"
        return "bars" if self.err.is_terminal and not plain else "lines"

    # ------------------------------------------------------------------ results
    def result(self, result: RunResult, report: Path | None) -> None:
        """The outcome of one run."""
        heading = f"{result.op} {result.model}".strip()
        message = "" if len(result.cases) == 1 else escape(result.message)  # the case says the same
        self.out.print(f"[{_style(result.verdict)}]{escape(heading)}: {result.verdict}[/]  {message}")
        for case in result.cases:
            self._case(case)
        self._scores(result)
        self._baseline(result)
        self._trends(result)
        self.say([f"  {sentence}" for sentence in sentences(result)])
        self.say([f"  {following.purpose}: {following.command}" for following in commands(result)])
        if report:
            self.out.print(f"  report: {escape(str(report))}")

    def change(self, change: ChangeStatus) -> None:
        """What became of the change that a run prepared."""
        self.say(change.said)
        if change.publish:
            self.say([f"{change.publish.purpose}:", f"  {change.publish.command}"])

    def _case(self, case: CaseResult) -> None:
        gated = case.verdict in (Verdict.PASS, Verdict.REGRESSION)
        message = "" if gated else escape(outcome(case))  # the criteria below say the same
        verdict = f"[{_style(case.verdict)}]{case.verdict}[/]"
        seed = "" if case.seed is None else f", seed {case.seed}"
        self.out.print(f"  case {case.index}{seed}: {verdict}  {message}  [dim]{escape(_short(case.prompt))}[/]")
        for label, differences in (("recipe", case.recipe_difference), ("environment", case.environment_difference)):
            for item in differences[:8]:
                values = f"{item.key}: {item.reference} there, {item.run} here"
                self.out.print(f"    {label} differs: {escape(values)}")
        for criterion in case.criteria:
            mark = "[green]pass[/]" if criterion.passed else "[bold red]FAIL[/]"
            given = _short(criterion.given)
            self.out.print(
                f"    {mark}  {escape(criterion.name)}: {escape(given)}  [dim](allowed: {escape(criterion.allowed)})[/]"
            )
        found = (item for item in measured_values(case) if item.passed is None and item.value is not None)
        further = [f"{item.name} {number(item.value)}" for item in found]
        if further:
            self.out.print(f"    [dim]{escape(', '.join(further))}[/]")

    def _scores(self, result: RunResult) -> None:
        """What was measured, or how it moved, a line a metric; then the gates."""
        self._table(("metric", "value", "samples"), map(score_cells, result.metrics))
        self._table(("metric", "difference", "wins/losses/ties"), map(change_cells, result.comparisons))
        if result.bisection is not None:
            self._table(COMMIT_COLUMNS, [commit_cells(step, result.bisection) for step in result.bisection.by_history])
        self.say([f"  {metrics}: {why}" for metrics, why in unmeasured(result)])
        self._table(MEASURED_COLUMNS, map(measured_cells, result.measurements))
        self._table(RATIO_COLUMNS, map(ratio_cells, result.ratios))
        for found in result.performance:
            reason = escape(found.reason) if len(result.performance) > 1 else f"[dim]{escape(found.target)}[/]"
            self.out.print(f"  {escape(perf_name(found))}: {_styled(found.verdict)}  {reason}")
            self._table(PERF_COLUMNS, map(perf_cells, found.metrics))
        for gate in result.gates:
            self.out.print(f"  [{_style(gate.verdict)}]{gate.verdict}[/]  {escape(gate.limit)}: {escape(gate.message)}")
            self.say([f"      {line}" for line in gate.worst])

    def _baseline(self, result: RunResult) -> None:
        """How performance baselines move: the sources, the batch, before and after."""
        for move in result.baselines:
            for table in baseline_tables(move):
                self.out.print(f"  {escape(table.title)}:")
                self._table(table.head, table.rows)
            self.say([f"  {sentence}" for sentence in baseline_sentences(move)])

    def _trends(self, result: RunResult) -> None:
        """Numbers over time, a table for each series: its name is too long for a column."""
        for name, lines in groupby(result.trends, key=lambda line: line.series):
            self.out.print(f"  {escape(name)}:")
            self._table(TREND_COLUMNS[1:], (trend_cells(line)[1:] for line in lines))

    def _table(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        table, cells = Table(box=None, pad_edge=False), list(rows)
        # a name in two halves is none; a path that leaves no room for the rest is no name
        short = max((len(row[0]) for row in cells), default=0) <= self.out.width * 2 // 3
        for name in head:
            table.add_column(name, overflow="fold", no_wrap=short and name == head[0])
        for row in cells:
            table.add_row(*map(escape, row))
        if table.row_count:
            self.out.print(Padding(table, (0, 0, 0, 2), expand=False))

    def sweep(self, rows: Sequence[Row], report: Path, verdict: Verdict) -> None:
        """Every job of a sweep; then the first line of every failure, where to read on, and what to do about it."""
        folder = report.parent.parent
        self.out.print(f"Reports in {escape(str(folder))}:")
        table = Table(box=None, pad_edge=False)
        for name in ("job", "verdict", "overrides", "report"):
            table.add_column(name, overflow="fold")
        for row in rows:
            how = f" [dim]({row.how})[/]" if row.how else ""
            where = escape(str(row.report.relative_to(folder))) if row.report else "-"
            table.add_row(str(row.number), f"{_styled(row.result.verdict)}{how}", escape(row.title), where)
        self.out.print(table)
        hints: dict[str, None] = {}
        for row in rows:
            if row.result.measurements or row.result.ratios:  # what was asked for are the numbers
                self.say([f"  job {row.number}: {row.result.message}"])
            elif row.result.verdict.exit_code:
                first, *others = row.result.message.splitlines() or [""]
                self.say([f"  job {row.number}: {first}"])
                if first.endswith(":"):  # the others are what it says there is
                    self.say(others)
                if row.log:
                    self.out.print(f"    log: {escape(str(row.log))}")
            if row.result.verdict in AGAIN:
                said = sentences(row.result) + [f"{item.purpose}: {item.command}" for item in commands(row.result)]
                hints |= dict.fromkeys(hint for hint in said if not (row.log and str(row.log) in hint))
        for hint in hints:  # once, however many jobs it is for
            self.out.print(f"  {escape(hint)}")
        self.out.print(f"[{_style(verdict)}]{len(rows)} job(s), worst: {verdict}[/]  report: {escape(str(report))}")

    def plan(self, jobs: Sequence[PlannedJob], described: Sequence[str], verdict: Verdict) -> None:
        """What every job would come to, and what would be submitted, for ``dry_run=true``."""
        table = Table(box=None, pad_edge=False)
        for name in ("job", "fingerprint", "would", "overrides", "last time", "known now"):
            table.add_column(name, overflow="fold")
        for item in jobs:
            known = _styled(item.result.verdict) if item.kept else escape(item.result.message.partition("\n")[0])
            cells = (str(item.job.number), item.job.fingerprint[:12], "keep" if item.kept else "run")
            seconds = "-" if item.seconds is None else f"{item.seconds:.0f} s"
            table.add_row(*cells, escape(item.job.title), seconds, known)
        self.out.print(table)
        for item in (item for item in jobs if not item.kept):
            self.say([f"  job {item.job.number}: {line.strip()}" for line in item.result.message.splitlines()[1:]])
            for case in item.result.cases:
                found = f"{escape(case.message)} {escape(case.store_path or '')}".rstrip()
                self.out.print(f"  job {item.job.number} case {case.index}: {found}")
            self.say([f"  job {item.job.number}: {note}" for note in item.result.notes])
        self.say(described)
        minutes = [item.gpu_minutes for item in jobs if item.gpu_minutes is not None]
        spent = f"GPU-minutes last time: {sum(minutes):.1f}"
        if unknown := len(jobs) - len(minutes):
            spent += f", unknown for {unknown} job(s)"
        self.out.print(f"Dry run: {sum(not item.kept for item in jobs)} of {len(jobs)} job(s) would run. {spent}.")
        if verdict.exit_code:
            self.out.print(f"[{_style(verdict)}]As far as is known now: {verdict}[/]")


@dataclass(frozen=True)
class Row:
    """A job in the summary of a sweep.

    Attributes:
        title: Its overrides.
        report: Its own page.
        how: ``reused`` or ``not started``, when it did not run now.
        log: Where to read on after a failure.
    """

    number: int
    title: str
    result: RunResult
    report: Path | None = None
    how: str = ""
    log: Path | None = None


class Lines:
    """Progress as one line for each stage, and for the step that a long one has come to, now and then."""

    def __init__(self, console: Console, title: str, quiet: bool = False) -> None:
        self._console, self._title, self._quiet = console, title, quiet
        self._doing, self._said_at = title, time.monotonic()

    def stage(self, stage: str, case: int | None = None, msg: str = "") -> None:
        self._doing = _activity(self._title, stage, case, msg)
        self._say(self._doing)

    def step(self, done: int, total: int) -> None:
        if time.monotonic() - self._said_at >= _SILENT_S:
            self._say(f"{self._doing}, step {done}/{total}")

    def _say(self, line: str) -> None:
        self._said_at = time.monotonic()
        if not self._quiet:
            self._console.print(escape(line))

    def end(self, verdict: Verdict) -> None:
        """The job has ended; only jobs of a sweep say so here."""
        if not self._quiet:
            self._console.print(f"{escape(self._title)}: {_styled(verdict)}")


class Bars:
    """Progress as a bar for the steps of the current stage. What it says comes last and takes what width is left."""

    def __init__(self, console: Console, title: str, display: Progress | None = None) -> None:
        self.display = display or _bar_display(console)
        self._title = title
        self._task = self.display.add_task(_activity(title, "prepare"), total=None, steps="")

    def stage(self, stage: str, case: int | None = None, msg: str = "") -> None:
        self.display.reset(self._task, total=None, description=_activity(self._title, stage, case, msg), steps="")

    def step(self, done: int, total: int) -> None:
        self.display.update(self._task, completed=done, total=total, steps=f"step {done}/{total}")

    def end(self, verdict: Verdict) -> None:
        """The job has ended; its bar makes room, and a line stays."""
        self.display.remove_task(self._task)
        self.display.console.print(f"{escape(self._title)}: {_styled(verdict)}")


class Board:
    """Shows the progress of any number of jobs at once."""

    def __init__(self, console: Console, mode: str) -> None:
        self._console, self._mode = console, mode
        self.display = _bar_display(console)

    def listen(self, title: str) -> Lines | Bars:
        """A listener for one more job."""
        if self._mode == "bars":
            return Bars(self._console, title, self.display)
        return Lines(self._console, title, quiet=self._mode == "none")


def _bar_display(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        BarColumn(bar_width=_BAR_WIDTH),
        TextColumn("{task.fields[steps]}"),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        console=console,
        expand=True,
        transient=True,
    )


def _activity(title: str, stage: str, case: int | None = None, msg: str = "") -> str:
    """What a job does now, in one line; an op and its stage of the same name are said once."""
    doing = title if title.split()[-1:] == [stage] else f"{title} | {stage}"
    where = "" if case is None else f" case {case}"
    return f"{doing}{where} {_short(printable(msg))}".rstrip()


def _styled(verdict: Verdict) -> str:
    return f"[{_style(verdict)}]{verdict}[/]"


def _style(verdict: Verdict) -> str:
    return _STYLES.get(verdict.exit_code, "yellow")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _PROMPT_WIDTH else line[: _PROMPT_WIDTH - 1] + "…"
