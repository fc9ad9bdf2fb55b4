# SPDX-License-Identifier: Apache-2.0
"""``launcher=pool``: several jobs at a time on this machine, each in a process of its own."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from fvhydra.config.launcher import PoolLauncherConfig
from fvhydra.core.errors import UsageError
from fvhydra.core.gpus import installed_gpus, select
from fvhydra.core.machine import CPUS_VARIABLE, cpus
from fvhydra.launch.base import Launcher, worker_command
from fvhydra.launch.durations import expected_s
from fvhydra.launch.job import Job
from fvhydra.launch.outcome import Follower, ending, job_log, outcome
from fvhydra.launch.slots import Demand, Slots
from fvhydra.launch.tokens import check_stores, worker_environment
from fvhydra.launch.workers import Worker, Workers, kill

_POLL_S = 0.05
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass
class _Running:
    """A job that runs, and what it holds."""

    job: Job
    process: Worker
    follower: Follower
    demand: Demand
    devices: tuple[str, ...]


class PoolLauncher(Launcher):
    """Jobs are packed by what they demand, the largest and longest first.

    A worker is the leader of a process group; what it leaves behind is killed with it. All workers hold the end of a
    pipe of this process, and end, with their children, when it is gone.
    """

    settings: PoolLauncherConfig

    def check(self, jobs: Sequence[Job]) -> None:
        """Refuse jobs that need more GPUs than there are, or a store that they cannot read."""
        check_stores(jobs, self.settings)
        self._check_devices(jobs)

    def _check_devices(self, jobs: Sequence[Job]) -> None:
        devices, installed = Slots.here(self.settings).devices, installed_gpus()
        absent = [word for word in self.settings.devices or [] if installed and not select(installed, [word])]
        if absent:
            here = ", ".join(map(str, installed or []))
            raise UsageError(
                f"launcher.devices names {', '.join(absent)}, and this machine has {here}.",
                "Name devices by the index or the UUID that nvidia-smi -L shows.",
            )
        wanted = max(job.gpus for job in jobs)
        if wanted > len(devices):
            named = f" ({', '.join(devices)})" if devices else ""
            raise UsageError(
                f"launcher=pool has {len(devices)} GPU(s){named}, and a job needs {wanted}.",
                "Name them with launcher.devices=[0,1], or choose another gpu= or launcher=.",
            )

    def describe(self, jobs: Sequence[Job]) -> list[str]:
        """How many at a time, and of what."""
        self._check_devices(jobs)
        slots = Slots.here(self.settings)
        most = slots.most_at_a_time([Demand.of(job) for job in jobs])
        named = [f"{word} ({slots.names[word]})" if word in slots.names else word for word in slots.devices]
        gpus = f"{len(named)} GPU(s): {', '.join(named)}" if named else "no GPU"
        return [
            f"Up to {most} at a time on {slots.cpus} CPU(s), {slots.memory_gb:.1f} GiB, {gpus}.",
            "Order: " + ", ".join(str(job.number) for job in _ordered(jobs)),
        ]

    def run(self, jobs: Sequence[Job]) -> None:
        """Start jobs whenever their resources are free, until all have ended."""
        slots, waiting, running = Slots.here(self.settings), _ordered(jobs), list[_Running]()
        with Workers() as workers:
            try:
                while waiting or running:
                    for job in list(waiting):
                        devices = slots.take(Demand.of(job))
                        if devices is not None:
                            waiting.remove(job)
                            running.append(self._start(workers, job, devices, len(jobs)))
                    time.sleep(_POLL_S)
                    for item in self._ended_of(running):
                        slots.give_back(item.demand, item.devices)
                        self._tell(item, waiting)
            finally:
                self._stop(running)

    def _tell(self, item: _Running, waiting: list[Job]) -> None:
        result = outcome(item.job, ending(item.process.returncode or 0))
        self.ended(item.job, result)
        if self.settings.fail_fast and result.verdict.exit_code:
            while waiting:
                self.skipped(waiting.pop(), f"job {item.job.number} failed, and launcher.fail_fast is set")

    def _start(self, workers: Workers, job: Job, devices: tuple[str, ...], jobs: int) -> _Running:
        demand, config = Demand.of(job), job.config
        environment = worker_environment(self.settings)
        environment |= dict.fromkeys(_THREADS, str(demand.cpus or max(cpus() // len(devices), 1)))
        log = job_log(job.folder.path).resolve()
        log.parent.mkdir(parents=True, exist_ok=True)
        if self.settings.devices is not None or "CUDA_VISIBLE_DEVICES" not in environment:
            environment["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # as nvidia-smi counts
        # none for a job on the CPU, and for what it is a copy of
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
        environment[CPUS_VARIABLE] = str(max(demand.cpus, cpus() // jobs, 1))
        if devices or jobs == 1:  # CUDA does not survive in a copy
            process = workers.program(worker_command(job), log, environment)
        else:
            engine = f"{config.engine._target_} {config.engine.own_process}"
            alike = (config.op._target_, engine, config.model.pipeline, str(demand.cpus))
            process = workers.fork(worker_command(job), log, environment, alike)
        return _Running(job, process, Follower(log, self.listen(job)), demand, devices)

    def _ended_of(self, running: list[_Running]) -> list[_Running]:
        """Pass on the progress of all running jobs, and return and remove those that have ended."""
        for item in running:
            item.follower.poll()
        ended = [item for item in running if item.process.poll() is not None]
        for item in ended:
            item.follower.poll()
            kill(item.process)
            running.remove(item)
        return ended

    def _stop(self, running: list[_Running]) -> None:
        """Ask those that still run to stop, and kill them when their time is over or Ctrl-C comes again."""
        for item in running:
            item.process.terminate()
        deadline = time.monotonic() + self.settings.grace_s
        with contextlib.suppress(KeyboardInterrupt):
            while any(item.process.poll() is None for item in running) and time.monotonic() < deadline:
                time.sleep(_POLL_S)
        for item in running:
            kill(item.process)
            item.follower.poll()
            self.ended(item.job, outcome(item.job, ending(item.process.returncode or 0), interrupted=True))


def _ordered(jobs: Sequence[Job]) -> list[Job]:
    """The largest and longest first: what is left at the end then is small."""
    expected = expected_s(jobs)
    return sorted(jobs, key=lambda job: (-job.gpus, -expected[job.number], job.number))
