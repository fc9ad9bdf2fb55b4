# SPDX-License-Identifier: Apache-2.0
"""The benchmark that a job measures, and the job that the benchmark asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from fvhydra.config import size_rules
from fvhydra.config.benchmark import BenchmarkConfig
from fvhydra.config.model import ModelConfig
from fvhydra.config.prompts import Prompt, PromptsConfig
from fvhydra.config.root import Config
from fvhydra.config.sampling import Sampling
from fvhydra.core import files
from fvhydra.core.errors import UsageError
from fvhydra.engines.choice import devices_of
from fvhydra.performance.benchmark import CONFIG_SCHEMA_VERSION, Benchmark, parse_benchmark, read_benchmark_file

DERIVED_VERSION = 0
"""``benchmark_version`` of ids that nobody declared."""

_SAMPLING = {
    **{
        name: name for name in ("height", "width", "num_frames", "num_inference_steps", "guidance_scale", "fps", "seed")
    },
    **{name: name for name in ("flow_shift", "vae_tiling", "num_gpus", "sp_size")},
    "negative_prompt": "negative_prompt",
    "neg_prompt": "negative_prompt",
}
"""Words of FastVideo for keys under ``sampling``."""
_DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
_OUTPUT = ("sampling", "seed", "prompt", "prompts", "prompt_file", "prompt_index", "image")
"""Keys that decide what is generated."""


@dataclass(frozen=True)
class BenchmarkJob:
    """A job as its benchmark wants it.

    Attributes:
        benchmark: Declared, or derived from the job.
        declared: Whether somebody declared it; records of others are in no shared baseline.
        config: The job.
        dropped: What the benchmark asks for and the engine has no place for.
    """

    benchmark: Benchmark
    declared: bool
    config: Config
    dropped: dict[str, Any] = field(default_factory=dict)


def chosen_benchmark(config: BenchmarkConfig, file: str | None) -> Benchmark | None:
    """What ``benchmark=`` or a file of the ecosystem declares; None where nothing was chosen.

    Raises:
        UsageError: Both were, or it is none.
    """
    if file is not None and config.benchmark_id is not None:
        raise UsageError("op.benchmark_file= and benchmark= both name a benchmark.", "Leave one of them away.")
    if file is not None:
        return read_benchmark_file(files.given_path(file))
    if config.benchmark_id is None:
        return None
    value = {each.name: files.plain(getattr(config, each.name)) for each in fields(config) if each.name != "name"}
    return parse_benchmark(value | {"config_schema_version": CONFIG_SCHEMA_VERSION}, f"benchmark={config.name}")


def benchmark_job(config: Config, file: str | None, overrides: Sequence[str] = ()) -> BenchmarkJob:
    """The job that is measured: the composed one, with what its benchmark fixes.

    Args:
        config: As it was composed.
        file: ``op.benchmark_file``.
        overrides: What was typed; it may not say otherwise than the benchmark.

    Raises:
        UsageError: The benchmark is of another model or number of GPUs, or is contradicted.
    """
    benchmark = chosen_benchmark(config.benchmark, file)
    if benchmark is None:
        return BenchmarkJob(_derived(config), False, config)
    _refuse_contradictions(benchmark, config, overrides)
    given = {**benchmark.init_kwargs, **benchmark.generation_kwargs}
    known = {ours: given[theirs] for theirs, ours in _SAMPLING.items() if theirs in given}
    sampling = _checked(replace(config.sampling, **known), config.model, benchmark)
    model, left = config.model, {key: value for key, value in given.items() if key not in _SAMPLING}
    if config.engine.name == "fastvideo":
        model, left = _told_to_fastvideo(config, benchmark, left)
    if isinstance(precisions := left.get("text_encoder_precisions"), list) and precisions:
        encoder = _DTYPES.get(str(precisions[0]), model.dtype)
        model = replace(model, component_dtypes={**model.component_dtypes, "text_encoder": encoder})
        left.pop("text_encoder_precisions")
    gpu = replace(config.gpu, count=sampling.num_gpus) if config.gpu.count else config.gpu
    prompts = config.prompts
    if benchmark.test_prompts:
        prompts = PromptsConfig(name="benchmark", entries=[Prompt(text=benchmark.test_prompts[0])])
    job = replace(config, sampling=sampling, model=model, gpu=gpu, prompts=prompts, seed=sampling.seed)
    neutral = {"tp_size": 1, "output_path": left.get("output_path"), "output_video_name": left.get("output_video_name")}
    dropped = {key: value for key, value in left.items() if key not in neutral or value != neutral[key]}
    return BenchmarkJob(benchmark, True, job, dropped)


def _checked(sampling: Sampling, model: ModelConfig, benchmark: Benchmark) -> Sampling:
    if wrong := size_rules.problems(model, sampling, compared=False):
        raise UsageError(f"The benchmark {benchmark.benchmark_id} cannot be generated: {' '.join(wrong)}")
    return sampling


def _derived(config: Config) -> Benchmark:
    count = devices_of(config)
    where = f"{count}gpu" if count else "cpu"
    return Benchmark(f"{config.model.name}-{where}", config.model.name, f"{config.tier.name}-{where}", DERIVED_VERSION)


def _told_to_fastvideo(config: Config, benchmark: Benchmark, left: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Further arguments of FastVideo's constructor in its typed API: ``experimental`` takes what has no field there."""
    further = {key: left[key] for key in benchmark.init_kwargs if key in left and key != "tp_size"}
    fastvideo = dict(config.model.fastvideo)
    pipeline = dict(fastvideo.get("pipeline", {}))
    pipeline["experimental"] = {**pipeline.get("experimental", {}), **further}
    model = replace(config.model, fastvideo={**fastvideo, "pipeline": pipeline})
    return model, {key: value for key, value in left.items() if key not in further}


def _refuse_contradictions(benchmark: Benchmark, config: Config, overrides: Sequence[str]) -> None:
    name = benchmark.benchmark_id
    path = str(benchmark.model.get("model_path") or config.model.weights)
    if path != config.model.weights:
        raise UsageError(
            f"The benchmark {name} measures {path}, and model={config.model.name} is {config.model.weights}.",
            "Choose its model with model=, or set model.weights= to its repository.",
        )
    required = benchmark.run_config.required_gpus
    if config.gpu.count and required and benchmark.init_kwargs.get("num_gpus", required) != required:
        raise UsageError(f"The benchmark {name} requires {required} GPU(s) and asks for another number of them.")
    said = [word for word in overrides if _is_about_output(word)]
    if said:
        raise UsageError(
            f"The benchmark {name} fixes what is generated, and {said[0]} says otherwise.",
            "Leave one of them away: without a benchmark, anything can be measured.",
        )


def _is_about_output(word: str) -> bool:
    return word.lstrip("+~").split("=", 1)[0].split(".", 1)[0] in _OUTPUT
