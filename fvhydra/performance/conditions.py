# SPDX-License-Identifier: Apache-2.0
"""The conditions under which a run was measured: clocks, temperature, power and who else worked on the machine."""

from __future__ import annotations

import csv
import os
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from fvhydra.core import processes

CLOCK_SHARE = 0.05
"""Share by which a clock may be another one than in the other runs."""
TEMPERATURE_C = 10.0
"""Degrees by which a device may be warmer or colder than in the other runs."""
OTHERS_SHARE = 0.1
"""Share of this machine's CPUs that other processes may keep busy."""

_CPUS = os.cpu_count() or 1
"""Of the whole machine, as the times that it tells are; this process may be allowed fewer."""
_QUERY = ("uuid", "clocks.sm", "clocks.mem", "temperature.gpu", "power.draw", "clocks.max.sm", "power.limit")


@dataclass(frozen=True)
class DeviceState:
    """A GPU at one moment; None is what its driver does not say.

    Attributes:
        sm_clock_mhz: Of its processors.
        most_sm_clock_mhz: What it could be; a host that is capped never comes near.
        most_power_w: What it is limited to.
    """

    uuid: str
    sm_clock_mhz: float | None = None
    memory_clock_mhz: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    most_sm_clock_mhz: float | None = None
    most_power_w: float | None = None


@dataclass(frozen=True)
class RunConditions:
    """The conditions of one run.

    Attributes:
        begin: The devices before it.
        end: The devices just after it.
        other_gpu_processes: Processes on those devices that are not of this run, before or after it.
        load_1m: What the system calls its load, over the last minute.
        other_cpus: CPUs that other processes kept busy meanwhile, on average; None where the system does not say.
    """

    begin: list[DeviceState] = field(default_factory=list)
    end: list[DeviceState] = field(default_factory=list)
    other_gpu_processes: int = 0
    load_1m: float | None = None
    other_cpus: float | None = None


class Watch:
    """Watches the machine during one run, from its construction on.

    Args:
        gpus: Whether the run is on GPUs.
    """

    def __init__(self, gpus: bool) -> None:
        self._gpus = gpus
        self._begin = device_states() if gpus else []
        self._others = other_gpu_processes() if gpus else 0
        self._time, self._busy = time.perf_counter(), self._cpu_s()

    def ended(self) -> RunConditions:
        """The conditions until now."""
        elapsed, busy = time.perf_counter() - self._time, self._cpu_s()
        end = device_states() if self._gpus else []
        others = other_gpu_processes() if self._gpus else 0
        other_cpus = None
        if self._busy is not None and busy is not None:
            others_s = (busy[0] - self._busy[0]) - (busy[1] - self._busy[1])
            other_cpus = min(
                max(0.0, others_s / elapsed), float(_CPUS)
            )  # the clock of a system ticks; a run may be short
        return RunConditions(self._begin, end, max(self._others, others), _load_1m(), other_cpus)

    def _cpu_s(self) -> tuple[float, float] | None:
        """CPU time of the machine and, of that, of this process tree."""
        everybody = processes.machine_cpu_s()
        return None if everybody is None else (everybody, processes.cpu_s(processes.tree()))


def moved(runs: Sequence[RunConditions]) -> list[list[str]]:
    """For each of the runs that are to be compared with each other, in what its conditions were others, a phrase each.

    A clock or a temperature is held to its median over the runs, as it was when a run ended: idle devices are slow
    before one begins.
    """
    clocks = [_of_first(run.end, "sm_clock_mhz") for run in runs]
    temperatures = [_of_first(run.end, "temperature_c") for run in runs]
    return [
        [*_clock(clock, clocks), *_temperature(temperature, temperatures), *_others(run)]
        for run, clock, temperature in zip(runs, clocks, temperatures, strict=True)
    ]


def _of_first(devices: Sequence[DeviceState], name: str) -> float | None:
    """The lowest clock or highest temperature of several devices is that of the slowest: all wait for it."""
    values = [value for device in devices if (value := getattr(device, name)) is not None]
    if not values:
        return None
    return float(min(values) if name == "sm_clock_mhz" else max(values))


def _clock(clock: float | None, all_of_them: Iterable[float | None]) -> list[str]:
    if clock is None:
        return []
    usual = median(value for value in all_of_them if value is not None)
    apart = abs(clock - usual) > CLOCK_SHARE * usual
    return [f"its clock was {clock:.0f} MHz, {usual:.0f} MHz in the median"] if apart else []


def _temperature(temperature: float | None, all_of_them: Iterable[float | None]) -> list[str]:
    if temperature is None:
        return []
    usual = median(value for value in all_of_them if value is not None)
    apart = abs(temperature - usual) > TEMPERATURE_C
    return [f"the device had {temperature:.0f} °C, {usual:.0f} °C in the median"] if apart else []


def _others(run: RunConditions) -> list[str]:
    found = []
    if run.other_gpu_processes:
        found.append(f"{run.other_gpu_processes} other process(es) on the GPU")
    if run.other_cpus is not None and run.other_cpus > OTHERS_SHARE * _CPUS:
        found.append(f"other processes kept {run.other_cpus:.1f} of {_CPUS} CPU(s) busy")
    return found


def device_states() -> list[DeviceState]:
    """The GPUs that this command may use, as they are now; none where ``nvidia-smi`` does not answer."""
    rows = _nvidia_smi(f"--query-gpu={','.join(_QUERY)}")
    return [DeviceState(row[0], *map(_number, row[1:])) for row in rows if len(row) == len(_QUERY)]


def other_gpu_processes() -> int:
    """Processes that compute on those GPUs and are not of this process tree."""
    ours = {str(pid) for pid in processes.tree()}
    return len({row[0] for row in _nvidia_smi("--query-compute-apps=pid") if row} - ours)


def _nvidia_smi(query: str) -> list[list[str]]:
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    which = [] if chosen is None else [f"--id={chosen}"]
    words = ["nvidia-smi", query, "--format=csv,noheader,nounits", *which]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [[cell.strip() for cell in row] for row in csv.reader(done.stdout.splitlines())]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:  # [N/A], [Not Supported]
        return None


def _load_1m() -> float | None:
    try:
        return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    except OSError:
        return None
