# SPDX-License-Identifier: Apache-2.0
"""What the processes of a tree use."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fvhydra.core import processes

EATER = "import time; held = bytearray(b'\\x01') * (100 * 2**20); print('ready', flush=True); time.sleep(60)"


def test_the_peak_counts_children_that_live() -> None:
    peak = processes.PeakMemory()
    before = peak.mb()
    assert before is not None
    with subprocess.Popen([sys.executable, "-c", EATER], stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None and child.stdout.readline() == b"ready\n"
            assert child.pid in processes.tree() and processes.tree(child.pid) == [child.pid]
            with_child = peak.mb()
        finally:
            child.kill()
    assert with_child is not None and with_child - before > 90
    assert child.pid not in processes.tree()


def test_cpu_time_is_that_of_the_work() -> None:
    mine, everybody = processes.cpu_s([os.getpid()]), processes.machine_cpu_s()
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    assert 0.25 <= processes.cpu_s([os.getpid()]) - mine < 0.6
    assert everybody is not None and (processes.machine_cpu_s() or 0) - everybody >= 0.25
    assert processes.cpu_s([2**22 + 1]) == 0


def test_a_system_that_does_not_say_gives_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processes, "_PROC", tmp_path / "nowhere")
    assert processes.PeakMemory().mb() is None and processes.machine_cpu_s() is None
    assert processes.tree(7) == [7] and processes.cpu_s([7]) == 0
