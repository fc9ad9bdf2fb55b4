# SPDX-License-Identifier: Apache-2.0
"""Conditions of runs, as an NVIDIA driver and Linux tell them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fvhydra.performance import conditions
from fvhydra.performance.conditions import DeviceState, RunConditions, Watch, moved

SMI = """#!/bin/sh
echo "$@" >> {log}
case "$1" in
  --query-gpu=*) echo "GPU-1, 1980, 2619, 61, 412.50, 1980, 700.00"
    echo "GPU-2, 1410, [N/A], 70, [Not Supported], 1980, [N/A]";;
  --query-compute-apps=pid) echo {pids};;
esac
"""


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A driver with two GPUs and one foreign process on them; its log is returned."""
    (tmp_path / "nvidia-smi").write_text(SMI.format(log=tmp_path / "log", pids="2147483647"))
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path / "log"


def test_devices_are_told_as_far_as_their_driver_knows(driver: Path) -> None:
    first, second = conditions.device_states()
    assert first == DeviceState("GPU-1", 1980, 2619, 61, 412.5, 1980, 700)
    assert second == DeviceState("GPU-2", 1410, None, 70, None, 1980)


def test_only_devices_of_this_command_are_asked(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,GPU-8a")
    conditions.device_states()
    assert "--id=1,GPU-8a" in driver.read_text()


def test_a_run_on_a_gpu_tells_who_else_is_there(driver: Path) -> None:
    found = Watch(gpus=True).ended()
    assert found.other_gpu_processes == 1 and len(found.begin) == len(found.end) == 2
    assert moved([found])[0][0] == "1 other process(es) on the GPU"


def test_a_run_on_the_cpu_asks_no_driver(driver: Path) -> None:
    assert Watch(gpus=False).ended().end == [] and not driver.exists()


def test_without_a_driver_nothing_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = Watch(gpus=True).ended()
    assert (found.begin, found.end, found.other_gpu_processes) == ([], [], 0)


def test_work_of_others_counts_and_our_own_does_not() -> None:
    busy = "import time; end = time.time() + {}\nwhile time.time() < end: pass"
    watch = Watch(gpus=False)
    subprocess.run([sys.executable, "-c", busy.format(1)], check=True)  # a child is ours
    ours = watch.ended().other_cpus
    watch = Watch(gpus=False)
    shell = f"setsid {sys.executable} -c '{busy.format(1.5)}' </dev/null >/dev/null 2>&1 &"
    subprocess.run(["sh", "-c", shell], check=True)  # an orphan is not
    subprocess.run(["sleep", "1.2"], check=True)
    theirs = watch.ended().other_cpus
    assert ours is not None and theirs is not None
    assert theirs > 0.3


def test_others_keep_no_more_cpus_busy_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter((0.0, 1e6))
    monkeypatch.setattr("fvhydra.core.processes.machine_cpu_s", lambda: next(ticks))
    assert Watch(gpus=False).ended().other_cpus == os.cpu_count()


def run(clock: float = 1980, temperature: float = 60, cpus: float = 0.0) -> RunConditions:
    fast = DeviceState("GPU-2", clock + 100, temperature_c=temperature - 5)
    return RunConditions(end=[fast, DeviceState("GPU-1", clock, temperature_c=temperature)], other_cpus=cpus)


def test_what_moved_is_told_of_the_run_in_which_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    found = moved([run(), run(clock=1410), run(temperature=75), run(clock=1950, temperature=65), run()])
    assert found == [
        [],
        ["its clock was 1410 MHz, 1980 MHz in the median"],
        ["the device had 75 °C, 60 °C in the median"],
        [],
        [],
    ]
    busy = conditions.OTHERS_SHARE * (os.cpu_count() or 1)
    assert [bool(each) for each in moved([run(cpus=busy * 0.9), run(cpus=busy * 1.1)])] == [False, True]
    monkeypatch.setenv("FVHYDRA_CPUS", "1")  # what this process may use says nothing of what others do
    assert moved([run(cpus=busy * 0.9)]) == [[]]
    assert moved([]) == [] and moved([RunConditions()]) == [[]]
