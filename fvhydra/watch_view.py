# SPDX-License-Identifier: Apache-2.0
"""What a person sees of runs that are watched: a table that stays where it is at a terminal, lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fvhydra.core.text import printable
from fvhydra.ops.watched import View, WatchedRun
from fvhydra.terminal import Terminal

_STYLES = {"running": "cyan", "finished": "green", "failed": "bold red", "gone": "bold red", "interrupted": "yellow"}
_MOST_ROWS = 30
_WIDE = 100
"""Characters of a line from which on there is room for a bar of the steps."""
_KNOWN = {
    *("state", "pid", "host", "started", "updated", "elapsed_s", "eta_s", "stage", "clip", "msg", "step", "steps"),
    *("done", "total", "gpu_memory_mb", "verdict"),
}


class WatchView:
    """Shows one view after the other.

    Args:
        terminal: Where.
        mode: ``bars``, ``lines``, ``none``, or ``auto``.
    """

    def __init__(self, terminal: Terminal, mode: str) -> None:
        self._terminal = terminal
        self._mode = terminal.progress_mode(mode)
        self._live = Live(console=terminal.err, refresh_per_second=4, transient=False)
        self._said: dict[str, str] = {}

    def __enter__(self) -> WatchView:
        if self._mode == "bars":
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._mode == "bars":
            self._live.stop()

    def show(self, view: View) -> None:
        """Show what is new."""
        if self._mode == "bars":
            self._live.update(_picture(view, self._terminal.err.width))
        elif self._mode == "lines":
            for line in self._news(view):
                self._terminal.err.print(escape(printable(line)))

    def _news(self, view: View) -> Iterable[str]:
        """A line for everything that is other than at the last look."""
        if view.trouble and self._said.get(":") != "trouble":
            yield view.trouble
        self._said[":"] = "trouble" if view.trouble else ""
        for run in view.runs:
            name = f"{run.path or '.'}: "
            line = f"{run.state} {_doing(run.status)}".rstrip()
            silent = _silence(run, view.stale_s)
            for key, text in (("state", line), ("silence", silent and "no heart-beat any more"), ("gone", run.gone)):
                if text and self._said.get(f"{run.path}:{key}") != text:
                    yield f"{name}{silent if key == 'silence' else text}"
                self._said[f"{run.path}:{key}"] = text
            for tail in run.tails:
                for said in tail.lines[len(tail.lines) - tail.fresh :]:
                    yield f"{name}{tail.word}| {said}"


def _picture(view: View, width: int) -> RenderableType:
    # whatever the names are, numbers and heart-beat keep their places
    table = Table(box=None, pad_edge=False, expand=True)
    columns = ("state", "done", "elapsed", "left", "heart-beat", "GPU", *(("steps",) if width >= _WIDE else ()), "run")
    for name in columns:
        table.add_column(name, overflow="ellipsis", no_wrap=True, ratio=1 if name == "run" else None)
    shown = sorted(view.runs, key=lambda run: (run.ended, run.path))[:_MOST_ROWS]
    for run in shown:
        cells = _cells(run, view.stale_s)
        table.add_row(*(cells[name] for name in columns))
    parts: list[RenderableType] = [Text(printable(view.address), style="bold"), table]
    if len(view.runs) > len(shown):
        parts.append(Text(f"and {len(view.runs) - len(shown)} more"))
    for run in shown:
        parts += _lines(run, view.stale_s)
    newest = max((run for run in view.runs), key=lambda run: run.moved, default=None)
    for tail in newest.tails if newest else []:
        if tail.lines:
            parts += [Text(f"-- {tail.word} {newest.path if newest else ''}".rstrip(), style="dim")]
            parts += [Text(line, no_wrap=True, overflow="ellipsis") for line in tail.lines]
    if view.trouble:
        parts.append(Text(printable(view.trouble), style="yellow"))
    return Group(*parts)


def _lines(run: WatchedRun, stale_s: float) -> Iterator[RenderableType]:
    """What has no room in a table: what a run does and notes, or how it ended."""
    name = f"{run.path}: " if run.path else ""
    if run.ended:
        if run.message:
            yield Text(printable(f"{name}{run.message}"), style=_STYLES.get(run.state, ""))
        return
    if silent := _silence(run, stale_s):
        yield Text(printable(f"{name}{silent}"), style="bold red")
    if doing := _doing(run.status):
        yield Text(printable(f"{name}{doing}"))
    if facts := ", ".join(f"{key} {value}" for key, value in run.status.items() if key not in _KNOWN):
        yield Text(printable(f"{name}{facts}"), style="dim")


def _cells(run: WatchedRun, stale_s: float) -> dict[str, RenderableType]:
    """What is in each column."""
    status = run.status
    word = str(run.verdict) if run.ended and run.verdict else run.state
    silent = _silence(run, stale_s)
    beat = "" if run.ended or run.silent_s is None else f"{run.silent_s:.0f} s ago"
    bar: RenderableType = ""
    if not run.ended and status.get("steps"):
        bar = ProgressBar(total=status["steps"], completed=status.get("step", 0), width=16)
    return {
        "state": Text(word, style=_STYLES.get(run.state, "")),
        "run": Text(printable(" ".join(part for part in (run.path.rpartition("/")[2], run.what, run.title) if part))),
        "steps": bar,
        "done": f"{status['done']}/{status['total']}" if "total" in status else "",
        "elapsed": _clock(status.get("elapsed_s")),
        "left": "" if run.ended else _clock(status.get("eta_s")),
        "heart-beat": Text(beat, style="bold red" if silent else ""),
        "GPU": "+".join(f"{megabytes / 1024:.1f}" for megabytes in status.get("gpu_memory_mb") or []),
    }


def _silence(run: WatchedRun, stale_s: float) -> str:
    if run.ended or run.silent_s is None or run.silent_s <= stale_s:
        return ""
    return f"no heart-beat for {run.silent_s:.0f} s"


def _doing(status: dict[str, Any]) -> str:
    if status.get("state") != "running" or "stage" not in status:
        return ""
    case = "" if status.get("clip") is None else f" clip {status['clip']}"
    step = f" step {status.get('step')}/{status['steps']}" if status.get("steps") else ""
    return f"{status['stage']}{case}{step} {status.get('msg', '')}".strip()


def _clock(seconds: Any) -> str:
    """Seconds as people read them: ``1:02:03``."""
    if not isinstance(seconds, (int, float)):
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
