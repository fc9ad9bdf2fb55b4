# SPDX-License-Identifier: Apache-2.0
"""What the processes of a tree use, as Linux counts it. Elsewhere nothing is known, and None says so."""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path

_PROC = Path("/proc")
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)
_RESET_PEAK = "5"
"""What ``/proc/<pid>/clear_refs`` takes to begin the peak anew (proc_pid_clear_refs(5), Linux 4.0)."""


def tree(root: int | None = None) -> list[int]:
    """Process ids: ``root`` (this process by default) and all that descend from it and live."""
    found = [os.getpid() if root is None else root]
    for pid in found:
        for task in _PROC.glob(f"{pid}/task/*/children"):
            with contextlib.suppress(OSError):  # it has just ended
                found += [int(child) for child in task.read_text().split()]
    return found


class PeakMemory:
    """Peak resident memory of the process tree from now on.

    The peak is that of each process, added up: exact for one process, and at most too high where several have their
    peaks at different times. A process that begins and ends in between is not seen.
    """

    def __init__(self) -> None:
        self._known = all(list(map(_begin_anew, tree())))

    def mb(self) -> float | None:
        """Megabytes (2**20 bytes) so far; None where the system does not say."""
        if not self._known:
            return None
        peaks = [_peak_kb(pid) for pid in tree()]
        return sum(peaks) / 1024 if any(peaks) else None


def cpu_s(pids: list[int]) -> float:
    """CPU time of processes and of the children that they have waited for, s; those that have ended count nothing."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            # the name in brackets may hold anything; utime, stime, cutime and cstime are fields 14 to 17
            fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def cpu_time_s() -> float:
    """CPU time of this process, of all its threads, and of those that descend from it, s.

    That of this process is exact; that of the others is counted in the system's ticks, 10 ms mostly.
    """
    return time.process_time() + cpu_s([pid for pid in tree() if pid != os.getpid()])


def machine_cpu_s() -> float | None:
    """CPU time that all processes of this machine have had since it started, s; None where the system does not say."""
    try:
        line = (_PROC / "stat").read_text().partition("\n")[0].split()
    except OSError:
        return None
    user, nice, system, _idle, _iowait, irq, softirq = map(int, line[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _begin_anew(pid: int) -> bool:
    try:
        (_PROC / str(pid) / "clear_refs").write_text(_RESET_PEAK)
    except OSError:
        return not (_PROC / str(pid)).exists() and _PROC.is_dir()  # it has ended, and counts nothing
    return True


def _peak_kb(pid: int) -> int:
    try:
        found = _PEAK.search((_PROC / str(pid) / "status").read_text(errors="replace"))
    except OSError:
        return 0
    return int(found[1]) if found else 0
