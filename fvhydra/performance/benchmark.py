# SPDX-License-Identifier: Apache-2.0
"""A benchmark: what is measured, how often, and what it may take at most on which GPU."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fvhydra.core import untrusted
from fvhydra.core.errors import UsageError
from fvhydra.performance.recipe import BENCHMARK_KEYS
from fvhydra.performance.record import METRICS

CONFIG_SCHEMA_VERSION = 2

Ceilings = dict[str, float]
"""Metric to the most (of throughput: nothing) that it may be, in its unit."""


@dataclass(frozen=True)
class RunCounts:
    """``run_config``: how often is measured, and on how many GPUs."""

    num_warmup_runs: int | None = None
    num_measurement_runs: int | None = None
    required_gpus: int | None = None


@dataclass(frozen=True)
class Benchmark:
    """A benchmark, with the keys of the ecosystem's files.

    Attributes:
        benchmark_id: Becomes ``model_id`` of records.
        workload_id: With ``variant_id`` and ``benchmark_version`` part of a record's identity.
        model: ``model_path``, ``revision``.
        init_kwargs: What the engine is made with.
        generation_kwargs: What a clip is made with.
        thresholds: GPU, or ``default``, to ceilings by the ecosystem's keys, as ``max_generation_time_s``.
        regression_thresholds: Metric to ``threshold_percent``, ``threshold_absolute``, ``gated``, where they differ.
    """

    benchmark_id: str
    workload_id: str
    variant_id: str
    benchmark_version: int | str
    model: dict[str, Any] = field(default_factory=dict)
    init_kwargs: dict[str, Any] = field(default_factory=dict)
    generation_kwargs: dict[str, Any] = field(default_factory=dict)
    test_prompts: tuple[str, ...] = ()
    run_config: RunCounts = RunCounts()
    thresholds: dict[str, dict[str, float | None]] = field(default_factory=dict)
    regression_thresholds: dict[str, Any] = field(default_factory=dict)
    revision: str | None = None

    def ceilings(self, gpu_type: str) -> Ceilings:
        """Limits on a device, by metric; those of ``default`` where none of the named GPUs is it."""
        named = [gpu for gpu in self.thresholds if gpu != "default" and _is_gpu(gpu, gpu_type)]
        limits = self.thresholds[max(named, key=len)] if named else self.thresholds.get("default", {})
        return {
            name: limit
            for name, metric in METRICS.items()
            if metric.ceiling is not None and (limit := limits.get(metric.ceiling)) is not None
        }


def read_benchmark_file(path: Path) -> Benchmark:
    """Read a benchmark of the ecosystem, JSON with ``config_schema_version`` 2.

    Raises:
        UsageError: It is missing, of another version, lacks an id, or a value has another type.
    """
    return parse_benchmark(untrusted.read_json(path, "benchmark file"), str(path))


def parse_benchmark(value: Any, source: str) -> Benchmark:
    """``value``, JSON types, as a benchmark; what it says beyond our fields is left out.

    Raises:
        UsageError: See :func:`read_benchmark_file`.
    """
    if not isinstance(value, Mapping):
        raise UsageError(f"{source} is not a benchmark, which is a JSON object.")
    if value.get("config_schema_version") != CONFIG_SCHEMA_VERSION:
        raise UsageError(
            f"{source} has config_schema_version {value.get('config_schema_version')}; a benchmark with an identity "
            f"has {CONFIG_SCHEMA_VERSION}, and {', '.join(BENCHMARK_KEYS)}."
        )
    if missing := [key for key in BENCHMARK_KEYS if value.get(key) in (None, "")]:
        raise UsageError(f"{source} has no {', '.join(missing)}; a benchmark has {', '.join(BENCHMARK_KEYS)}.")
    known = {key: item for key, item in value.items() if key in Benchmark.__dataclass_fields__}
    if isinstance(counts := known.get("run_config"), Mapping):
        known["run_config"] = {key: item for key, item in counts.items() if key in RunCounts.__dataclass_fields__}
    return untrusted.typed(Benchmark, known, f"{source} is not a benchmark")


def _is_gpu(gpu: str, gpu_type: str) -> bool:
    """Whether a word for a GPU, as ``L40S`` or ``RTX4090``, stands in the name of a device, as ``NVIDIA L40S``."""
    word = rf"(?<![A-Za-z0-9]){re.escape(gpu)}(?![A-Za-z0-9])"
    return any(re.search(word, name, re.IGNORECASE) for name in (gpu_type, gpu_type.replace("RTX ", "RTX")))
