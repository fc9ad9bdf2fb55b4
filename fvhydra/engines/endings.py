# SPDX-License-Identifier: Apache-2.0
"""How the process of an engine ended, in words."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from fvhydra.core.progress import parse_line
from fvhydra.core.text import printable

SHOWN = 200
"""Most characters of what an engine said that a message repeats."""
_MOST_READ = 1 << 16


def last_words(log: Path, start: int) -> str:
    """The line of a log, from the byte ``start`` on, that says most about an end; empty where it is silent."""
    with open(log, "rb") as output:
        output.seek(max(start, output.seek(0, os.SEEK_END) - _MOST_READ))
        lines = output.read().decode(errors="replace").splitlines()
    fatal = [line for line in lines if line.startswith("Fatal Python error")]
    said = [line for line in lines if line.strip() and parse_line(line) is None]  # the worker has the same log
    last = (fatal or said or [""])[-1]
    return printable(last.strip()).rstrip(".")[:SHOWN]


def signal_name(number: int) -> str:
    """``SIGKILL`` for 9; most of the real-time signals have no name.

    Example:
        >>> signal_name(9), signal_name(40)
        ('SIGKILL', 'signal 40')
    """
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def doing(call: str) -> str:
    """What an engine does while it is called, to end a sentence with.

    Example:
        >>> doing("generate")
        'generating'
    """
    known = {"start": "starting", "load": "loading", "generate": "generating", "trace": "tracing", "close": "closing"}
    return known.get(call, f"telling its {call}")
