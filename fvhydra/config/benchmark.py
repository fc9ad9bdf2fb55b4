# SPDX-License-Identifier: Apache-2.0
"""``benchmark=``: what ``op=bench`` measures, under ids by which records are compared."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, model_validator
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import Name, NonNegative, Positive, doc

IDS = ("benchmark_id", "workload_id", "variant_id", "benchmark_version")


def _is_version(value: Any) -> Any:
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, str)) or value == ""):
        raise ValueError("must be a number or a word")
    return value


@dataclass
class RunConfig:
    """How often is measured, and on how many GPUs."""

    num_warmup_runs: NonNegative | None = doc("Runs before those that count", None)
    num_measurement_runs: Positive | None = doc("Runs that count", None)
    required_gpus: NonNegative | None = doc("GPUs of one run", None)


@dataclass
class BenchmarkConfig:
    """A benchmark, with the keys of the ecosystem's JSON files (``config_schema_version`` 2)."""

    name: Name = doc("The word after benchmark=", "none")
    benchmark_id: str | None = doc("Names the folder of its records; null: no benchmark", None)
    workload_id: str | None = doc("Family, such as wan-t2v", None)
    variant_id: str | None = doc("Which of it, such as 1.3b-sp2", None)
    benchmark_version: Annotated[Any, AfterValidator(_is_version)] = doc("Raised when it measures something else", None)
    model: dict[str, Any] = doc("model_path, and revision where it is fixed", factory=dict)
    init_kwargs: dict[str, Any] = doc("What the engine is made with, in FastVideo's words", factory=dict)
    generation_kwargs: dict[str, Any] = doc("What a clip is made with, in FastVideo's words", factory=dict)
    test_prompts: list[str] = doc("The prompt that is measured, first", factory=list)
    run_config: RunConfig = doc("How often, on how many GPUs", factory=RunConfig)
    thresholds: dict[str, Any] = doc("GPU, or default, to its ceilings: max_generation_time_s, ...", factory=dict)
    regression_thresholds: dict[str, Any] = doc(
        "Metric to threshold_percent, threshold_absolute, gated, where they differ", factory=dict
    )

    @model_validator(mode="after")
    def _has_all_ids_or_none(self) -> BenchmarkConfig:
        missing = [name for name in IDS if getattr(self, name) in (None, "")]
        if missing and len(missing) < len(IDS):
            raise ValueError(f"has no {', '.join(missing)}; a benchmark has all of {', '.join(IDS)}")
        return self
