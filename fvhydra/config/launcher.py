"""``launcher=``: where the jobs of a command run."""

from __future__ import annotations

from typing import Any

from omegaconf import MISSING
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import Name, NonNegative, NonNegativeFloat, doc


@dataclass
class LauncherConfig:
    """A launcher. ``conf/launcher/<name>.yaml`` says which class Hydra calls."""

    name: Name = doc("The word after launcher=", MISSING)
    pass_env: list[str] = doc("Tokens that jobs are given although they could write with them (HF_TOKEN)", factory=list)
    options: dict[str, Any] = doc("Settings of a launcher from outside this package", factory=dict)


@dataclass
class PoolLauncherConfig(LauncherConfig):
    """Several at a time on this machine, each in a process of its own."""

    workers: NonNegative = doc("Most jobs at a time; 0: as many as fit", 0)
    devices: list[str] | None = doc("GPUs to use, by index or UUID; null: CUDA_VISIBLE_DEVICES, or all there are", None)
    cpus_per_job: NonNegative = doc("CPUs that a job is given; 0: job.threads", 0)
    memory_gb_per_job: NonNegativeFloat = doc("Memory to keep free for each job, GiB; 0: not looked at", 0.0)
    fail_fast: bool = doc("After the first job that fails start no other; those that run go on", False)
    grace_s: NonNegativeFloat = doc("Time that a job has to stop when it is asked to, s", 10.0)
