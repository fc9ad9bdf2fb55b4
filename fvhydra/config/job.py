"""``job`` and ``launcher=``: where a job runs and what it leaves behind."""

from __future__ import annotations

from typing import Annotated, Any

from omegaconf import MISSING
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import Name, NonNegative, doc, one_of


@dataclass
class JobConfig:
    """Everything about a run that does not decide its output."""

    output_dir: str = doc("Run folders of single runs", "outputs")
    sweep_dir: str = doc("Run folders of sweeps (-m)", "multirun")
    cache_dir: str = doc("Tiny weights and other things that can be rebuilt", MISSING)
    threads: NonNegative = doc("CPU threads for torch; 0 leaves the library's default", 1)
    progress: Annotated[str, one_of("auto", "bars", "lines", "none")] = doc("How progress is shown", "auto")


@dataclass
class LauncherConfig:
    """Where the jobs of a sweep run."""

    name: Name = doc("The word after launcher=", MISSING)
    options: dict[str, Any] = doc("Settings that only this launcher knows", factory=dict)
