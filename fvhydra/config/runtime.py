# SPDX-License-Identifier: Apache-2.0
"""``runtime``: where a job runs and what it leaves behind."""

from __future__ import annotations

from typing import Annotated

from omegaconf import MISSING
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import Threads, doc, one_of

USUAL_CACHE = "~/.cache/fvhydra"
"""What ``conf/runtime/default.yaml`` says where ``FVHYDRA_CACHE`` is not set."""


@dataclass
class RuntimeConfig:
    """Everything about a run that does not decide its output."""

    output_dir: str = doc("Run folders of single runs", "outputs")
    sweep_dir: str = doc("Run folders of sweeps (-m)", "multirun")
    ports_dir: str = doc("State files of ports, <family>.yaml; op=smoke and op=parity add what they find", "ports")
    cache_dir: str = doc(
        "Tiny weights and other things that can be rebuilt", MISSING, typed=True, variable="FVHYDRA_CACHE"
    )
    hf_home: str | None = doc("Home of the Hugging Face libraries; null: as HF_HOME says", None, typed=True)
    hf_hub_cache: str | None = doc("Their cache of downloads; null: as HF_HUB_CACHE and HF_HOME say", None, typed=True)
    threads: Threads = doc("CPU threads for torch; 0 leaves the library's default", 1)
    progress: Annotated[str, one_of("auto", "bars", "lines", "none")] = doc("How progress is shown", "auto")
