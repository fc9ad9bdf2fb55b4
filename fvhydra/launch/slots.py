# SPDX-License-Identifier: Apache-2.0
"""What this machine has for jobs, and what each job takes of it."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from fvhydra.config.launcher import PoolLauncherConfig
from fvhydra.config.root import Config
from fvhydra.core.machine import cpus

_KIB_PER_GIB = 1024**2
_GPU_LINE = re.compile(r"GPU (\d+):")
_MIG_LINE = re.compile(r"\s+MIG .*\(UUID: (MIG-[^)]+)\)")


@dataclass(frozen=True)
class Demand:
    """What one job takes while it runs."""

    devices: int
    cpus: int
    memory_gb: float

    @classmethod
    def of(cls, config: Config) -> Demand:
        """The GPUs of ``gpu=``; for a job on the CPU its threads, or all CPUs with ``runtime.threads=0``."""
        launcher = config.launcher
        assert isinstance(launcher, PoolLauncherConfig)
        devices = config.gpu.count
        threads = 0 if devices else config.runtime.threads or cpus()
        return cls(devices, launcher.cpus_per_job or threads, launcher.memory_gb_per_job)


@dataclass
class Slots:
    """GPUs, CPUs and memory that are free.

    A job that wants more CPUs or memory than there are gets all of them, and runs alone.
    """

    devices: list[str]
    cpus: int
    memory_gb: float
    workers: int
    _all: tuple[int, float] = field(init=False)

    def __post_init__(self) -> None:
        self._all = (self.cpus, self.memory_gb)

    @classmethod
    def here(cls, settings: PoolLauncherConfig) -> Slots:
        """The resources of this machine, as far as ``launcher.*`` allows."""
        devices = devices_here() if settings.devices is None else list(settings.devices)
        return cls(devices, cpus(), memory_here_gb(), settings.workers or max(cpus(), len(devices)))

    def take(self, demand: Demand) -> tuple[str, ...] | None:
        """Take what a job wants and return its devices; None when it does not fit now."""
        demand = self._bounded(demand)
        fits = demand.devices <= len(self.devices) and demand.cpus <= self.cpus and demand.memory_gb <= self.memory_gb
        if not fits or self.workers < 1:
            return None
        taken = tuple(self.devices[: demand.devices])
        del self.devices[: demand.devices]
        self.cpus -= demand.cpus
        self.memory_gb -= demand.memory_gb
        self.workers -= 1
        return taken

    def give_back(self, demand: Demand, devices: tuple[str, ...]) -> None:
        """The inverse of :meth:`take`."""
        demand = self._bounded(demand)
        self.devices += devices
        self.cpus += demand.cpus
        self.memory_gb += demand.memory_gb
        self.workers += 1

    def _bounded(self, demand: Demand) -> Demand:
        cpus, memory_gb = self._all
        return Demand(demand.devices, min(demand.cpus, cpus), min(demand.memory_gb, memory_gb))


def devices_here() -> list[str]:
    """GPUs that jobs may use, as ``CUDA_VISIBLE_DEVICES`` names them: what it says, else what ``nvidia-smi`` lists."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [token.strip() for token in given.split(",") if token.strip() not in ("", "-1", "NoDevFiles")]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    slices = _MIG_LINE.findall(listed)  # of a GPU that is split, only its slices can be used
    return slices or _GPU_LINE.findall(listed)


def memory_here_gb() -> float:
    """Memory that is available now, GiB, caches included; infinite where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return float("inf")
    return next((int(line.split()[1]) / _KIB_PER_GIB for line in lines if line.startswith("MemAvailable:")), 0.0)
