# SPDX-License-Identifier: Apache-2.0
"""The whole configuration: the keys at the top and one typed field for each group."""

from __future__ import annotations

from typing import Any

from omegaconf import MISSING
from pydantic.dataclasses import dataclass

from fvhydra.config.backend import BackendConfig
from fvhydra.config.benchmark import BenchmarkConfig
from fvhydra.config.engine import EngineConfig
from fvhydra.config.fields import NonNegative, Seed, Words, doc
from fvhydra.config.gpu import GpuConfig
from fvhydra.config.launcher import LauncherConfig
from fvhydra.config.metrics import MetricsConfig
from fvhydra.config.model import ModelConfig
from fvhydra.config.op import OpConfig
from fvhydra.config.prompts import PromptsConfig
from fvhydra.config.runtime import RuntimeConfig
from fvhydra.config.sampling import Sampling
from fvhydra.config.store import StoreConfig
from fvhydra.config.tier import TierConfig


@dataclass
class Config:
    """What one job is told. Composed from ``conf/``, validated by :func:`fvhydra.config.load.build`."""

    op: OpConfig = doc("What to do", MISSING)
    model: ModelConfig = doc("What is generated", MISSING)
    sampling: Sampling = doc("How it is sampled; picked by model and tier", MISSING)
    engine: EngineConfig = doc("What runs the model", MISSING)
    backend: BackendConfig = doc("Attention backend inside the engine", MISSING)
    tier: TierConfig = doc("How much work a case does", MISSING)
    gpu: GpuConfig = doc("The GPU type that the result belongs to", MISSING)
    prompts: PromptsConfig = doc("The prompt set", MISSING)
    metrics: MetricsConfig = doc("How clips are measured; one word or a list", MISSING)
    benchmark: BenchmarkConfig = doc("What op=bench measures, and under which ids", factory=BenchmarkConfig)
    store: StoreConfig = doc("Where references live", MISSING)
    launcher: LauncherConfig = doc("Where the jobs run", MISSING)
    runtime: RuntimeConfig = doc("Folders, threads, progress", MISSING)
    job: Any = doc("The clips of a story (op=run_job)", None)
    job_file: str | None = doc("The same from a .yaml or .json file, instead of job=", None)
    seed: Seed = doc("Random seed of every case", "${sampling.seed}")
    prompt: str | None = doc("One prompt, instead of the prompt set", None)
    prompt_file: str | None = doc("Prompts from a .txt (one a line), .jsonl, .json or .yaml file", None)
    prompt_index: NonNegative | None = doc("Only this prompt of the set, from 0", None)
    image: str | None = doc("First frame for image-to-video, for every case", None)
    run: str | None = doc("An earlier run folder: to publish, score or undo, or an interrupted run to go on with", None)
    source: str | None = doc(
        "Typed as from=: runs to watch (op=watch), a folder or a URL", None, typed=True, word="from"
    )
    record: Words = doc("Performance records, by their paths in the store (op=supersede_perf)", None)
    videos: str | None = doc("Clips to score (op=eval): a folder, a run folder, a pattern such as 'gen/*.mp4'", None)
    references: str | None = doc("What videos= are compared with: a folder or pattern, paired by relative path", None)
    metric: str | None = doc("One metric to explain, by id (op=metrics)", None)
    runs: list[str] = doc("Two evaluations (op=eval_compare): [before,after]", factory=list)
    manifest: str | None = doc("Samples to score (op=eval), one JSON object a line", None)
    sweep: str | None = doc("Name (or path) of the sweep's folder: the same again goes on where it stopped", None)
    resume: bool = doc("Keep the jobs of that folder that came to a verdict; false: run all of them again", True)
    dry_run: bool = doc("Show the jobs, what they need and what would be kept, and run nothing", False)
