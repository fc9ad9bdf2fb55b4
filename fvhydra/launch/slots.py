# SPDX-License-Identifier: Apache-2.0
"""What this machine has for jobs, and what each job takes of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fvhydra.config.launcher import PoolLauncherConfig
from fvhydra.core.gpus import installed_gpus, named_devices, select
from fvhydra.core.machine import cpus
from fvhydra.launch.job import Job

_KIB_PER_GIB = 1024**2


@dataclass(frozen=True)
class Demand:
    """What one job takes while it runs.

    Attributes:
        pattern: What the name of its devices should match.
    """

    devices: int
    cpus: int
    memory_gb: float
    pattern: str = field(default=".*", compare=False)

    @classmethod
    def of(cls, job: Job) -> Demand:
        """The GPUs that its op says; for a job on the CPU its threads, or all CPUs with ``runtime.threads=0``."""
        launcher, devices = job.config.launcher, job.gpus
        assert isinstance(launcher, PoolLauncherConfig)
        threads = 0 if devices else job.config.runtime.threads or cpus()
        pattern = job.config.gpu.pattern if job.config.gpu.count else ".*"
        return cls(devices, launcher.cpus_per_job or threads, launcher.memory_gb_per_job, pattern)


@dataclass
class Slots:
    """GPUs, CPUs and memory that are free.

    A job that wants more CPUs or memory than there are gets all of them, and runs alone. On a machine with GPUs of
    several types it waits for those of its own, unless there are too few of them.

    Attributes:
        names: Of the devices whose names are known.
    """

    devices: list[str]
    cpus: int
    memory_gb: float
    workers: int
    names: dict[str, str] = field(default_factory=dict)
    _all: tuple[int, float] = field(init=False)

    def __post_init__(self) -> None:
        self._all = (self.cpus, self.memory_gb)
        self._devices = tuple(self.devices)

    @classmethod
    def here(cls, settings: PoolLauncherConfig) -> Slots:
        """The resources of this machine, as far as ``launcher.*`` allows."""
        devices = devices_here() if settings.devices is None else list(settings.devices)
        found = installed_gpus() or []
        names = {word: device.name for word in devices for device in select(found, [word])}
        return cls(devices, cpus(), memory_here_gb(), settings.workers or max(cpus(), len(devices)), names)

    def take(self, demand: Demand) -> tuple[str, ...] | None:
        """Take what a job wants and return its devices; None when it does not fit now."""
        demand = self._bounded(demand)
        own = self._of_type(self._devices, demand)
        free = self._of_type(self.devices, demand) if len(own) >= demand.devices else self.devices
        fits = demand.devices <= len(free) and demand.cpus <= self.cpus and demand.memory_gb <= self.memory_gb
        if not fits or self.workers < 1:
            return None
        taken = tuple(free[: demand.devices])
        self.devices = [device for device in self.devices if device not in taken]
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

    def most_at_a_time(self, demands: Sequence[Demand]) -> int:
        """How many of some jobs can run together: the smallest of them."""
        ordered = sorted(demands, key=lambda demand: (demand.devices, demand.cpus, demand.memory_gb))
        taken = [(demand, devices) for demand in ordered if (devices := self.take(demand)) is not None]
        for demand, devices in taken:
            self.give_back(demand, devices)
        return len(taken)

    def _of_type(self, devices: Sequence[str], demand: Demand) -> list[str]:
        return [
            device
            for device in devices
            if re.search(demand.pattern, self.names.get(device, "")) or device not in self.names
        ]

    def _bounded(self, demand: Demand) -> Demand:
        cpus, memory_gb = self._all
        return replace(demand, cpus=min(demand.cpus, cpus), memory_gb=min(demand.memory_gb, memory_gb))


def devices_here() -> list[str]:
    """GPUs that jobs may use, as ``CUDA_VISIBLE_DEVICES`` names them: what it says, else what ``nvidia-smi`` lists."""
    given = named_devices()
    return [device.id for device in installed_gpus() or []] if given is None else given


def memory_here_gb() -> float:
    """Memory that is available now, GiB, caches included; infinite where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return float("inf")
    return next((int(line.split()[1]) / _KIB_PER_GIB for line in lines if line.startswith("MemAvailable:")), 0.0)
