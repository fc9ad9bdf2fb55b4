# SPDX-License-Identifier: Apache-2.0
"""Measuring commands as whole processes, from start to exit.

Seconds drift from machine to machine and from minute to minute, so ways to do a thing are run in turn, and what counts
is their ratio.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

_MAXRSS_PER_MB = 1024**2 if sys.platform == "darwin" else 1024


@dataclass
class Timing:
    """Samples of one command; the properties are medians.

    Attributes:
        peak_mb: Peak resident memory of the command or of its largest child, whichever is more; not their sum.
        output: What the last run wrote to stdout.
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)
    output: str = ""

    @property
    def wall_s(self) -> float:
        return median(self.wall)

    @property
    def cpu_s(self) -> float:
        return median(self.cpu)

    @property
    def peak_mb(self) -> float:
        return median(self.peak)


def whole_process(argv: Sequence[str], timing: Timing) -> None:
    """Run a command once and add the sample to ``timing``. A command that fails raises with its stderr.

    The memory of a process counts what its parent held when it was started, so scripts that measure should import
    nothing large themselves.
    """
    start = time.perf_counter()
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        # commands here write a line or two; a pipe of stderr never fills
        timing.output = process.stdout.read()
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(argv)} exited with {process.returncode}:\n{errors}")
    timing.wall.append(wall)
    timing.cpu.append(usage.ru_utime + usage.ru_stime)
    timing.peak.append(usage.ru_maxrss / _MAXRSS_PER_MB)


def interleaved(commands: Mapping[str, Sequence[str]], repeats: int) -> dict[str, Timing]:
    """Run each command ``repeats`` times in turn: a, b, a, b, ... After one unmeasured round that warms file caches."""
    timings = {name: Timing() for name in commands}
    for measured in (False, *[True] * repeats):
        for name, argv in commands.items():
            whole_process(argv, timings[name] if measured else Timing())
    return timings


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
