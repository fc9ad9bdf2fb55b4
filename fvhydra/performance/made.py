# SPDX-License-Identifier: Apache-2.0
"""Records that are made here: what was measured, with its identity and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from fvhydra.config.op import CiConfig
from fvhydra.core.case import Case
from fvhydra.engines.choice import devices_of
from fvhydra.performance.chosen import BenchmarkJob
from fvhydra.performance.gate import policies, serialized
from fvhydra.performance.measure import Run, medians, memory_source
from fvhydra.performance.profiles import (
    KERNEL_PACKAGES,
    environment_id,
    hardware_profile,
    hardware_profile_id,
    interconnect,
    software_profile,
    software_profile_id,
)
from fvhydra.performance.recipe import recipe_document, recipe_fingerprint
from fvhydra.performance.record import METRICS, RESULT_SCHEMA_VERSION, PerfRecord

_EXACT = {"python": "python", "pytorch": "torch", "cuda": "cuda"}
"""Of the software profile, what it is compared by without its patch version, with its fact."""


@dataclass(frozen=True)
class Surroundings:
    """Where runs were measured.

    Attributes:
        facts: Of the engine, see :meth:`fvhydra.engines.base.Engine.facts`.
        environment: Of its process, flat.
        devices: See :meth:`fvhydra.engines.base.Engine.devices`.
        procedural: Whether no model is behind the engine.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    devices: Sequence[Mapping[str, Any]] = ()
    procedural: bool = False

    def gpu_type(self, count: int) -> str:
        """Exact name of the device that was measured on."""
        if count and self.devices:
            return str(self.devices[0]["name"])
        return str(self.facts.get("device", "unknown")) if self.procedural else self.environment.get("cpu", "cpu")


def perf_record(job: BenchmarkJob, case: Case, runs: Sequence[Run], where: Surroundings, ci: CiConfig) -> PerfRecord:
    """The record of runs: medians, identity, origin. Without measured runs it is one of a failure.

    Args:
        job: With the benchmark.
        case: What was generated.
        runs: In the order in which they ran.
        where: Where.
        ci: What the CI says.
    """
    found = medians(runs)
    success = found["latency"] is not None
    count = devices_of(job.config)  # an engine may use fewer than gpu= asks for
    recipe = recipe_of(job, case, where)
    hardware, software = _profiles(where, count)
    exact = {**software, **{key: where.environment.get(name) for key, name in _EXACT.items()}}
    ids = job.benchmark
    commit = ci.commit or str(where.facts.get("engine.git_commit") or where.environment.get("git_commit") or "")
    weights = {"hub": None, "synthetic": "synthetic", "tiny": "tiny"}[case.tier.weights]
    return PerfRecord(
        {
            "model_id": ids.benchmark_id,
            "timestamp": datetime.now(UTC).isoformat(),
            "commit_sha": commit,
            "gpu_type": where.gpu_type(count),
            **{name: _rounded(found[name]) for name in METRICS},
            "other_time_s": _rounded(found["other_time_s"]),
            "memory_source": memory_source(runs),
            "success": success,
            "result_schema_version": RESULT_SCHEMA_VERSION,
            "workload_id": ids.workload_id,
            "variant_id": ids.variant_id,
            "benchmark_version": ids.benchmark_version,
            "recipe_fingerprint": recipe_fingerprint(recipe),
            "hardware_profile_id": hardware_profile_id(hardware),
            "software_profile_id": software_profile_id(software),
            "environment_metadata_id": environment_id(dict(where.environment)),
            "recipe": recipe,
            "hardware_profile": hardware,
            "software_profile": exact,
            "software_comparison_profile": software,
            "environment_metadata": dict(where.environment),
            **({} if weights is None else {"weights": weights}),
            **({} if job.declared else {"benchmark_declared": False}),
            "run_source": run_source(ci),
            **{key: value for key, value in asdict(ci).items() if key not in ("run_source", "commit")},
            "baseline_eligible": False,
            "comparison_status": None,
            "comparison_status_reason": None,
            "regression_thresholds": serialized(policies(ids.regression_thresholds)),
        }
    )


def run_source(ci: CiConfig) -> str:
    """Where a measurement comes from: ``pr``, ``scheduled_main``, ``local`` or ``unknown``."""
    if ci.run_source:
        return ci.run_source
    if ci.pr_number:
        return "pr"
    if ci.branch == "main" and ci.test_scope == "full":
        return "scheduled_main"
    return "unknown" if ci.commit else "local"


def recipe_of(job: BenchmarkJob, case: Case, where: Surroundings) -> dict[str, Any]:
    """The recipe document of a measurement.

    With FastVideo it is the benchmark's, word for word, so that its fingerprint is the one that FastVideo's own code
    computes. Any other engine, and weights that are not the real ones, are declared in it: their records are no
    neighbours of those.
    """
    resolved = {
        "attention_backend": case.backend.folder if case.backend.asked else None,
        "resolved_attention_backend": where.facts.get("attention_backend"),
        "resolved_model_revision": where.facts.get("weights_revision"),
    }
    if job.declared and case.engine == "fastvideo" and case.tier.weights == "hub":
        return recipe_document(asdict(job.benchmark), **resolved)
    ours = case.recipe
    told = {key: ours[key] for key in ("engine", "dtype", "component_dtypes", "parallel")}
    generation = {**ours["sampling"], **ours["call"], "seed": case.seed, "negative_prompt": case.negative_prompt}
    document = asdict(job.benchmark) | {
        "model": {"model_path": ours["weights"]["repo"], "revision": ours["weights"]["revision"]},
        "revision": None,
        # a procedural engine's options say how fast it pretends to be, which is what is measured
        "init_kwargs": told | ({} if where.procedural else {"options": dict(job.config.engine.options)}),
        "generation_kwargs": generation | {"image_sha256": case.image_sha256},
    }
    return recipe_document(document, **resolved, measured_prompts=[case.prompt])


def _profiles(where: Surroundings, count: int) -> tuple[dict[str, Any], dict[str, Any]]:
    environment = where.environment
    hardware = hardware_profile(
        [*where.devices[:count], *[{}] * (count - len(where.devices))],
        device_type="cuda" if count else "cpu",
        interconnect=interconnect(count) if count else "none",
    )
    software = software_profile(
        python=environment.get("python", "unknown"),
        pytorch=environment.get("torch"),
        cuda=environment.get("cuda"),
        packages={
            name: next((environment[each] for each in distributions if each in environment), None)
            for name, distributions in KERNEL_PACKAGES.items()
        },
    )
    return hardware, software


def _rounded(value: float | None) -> float | None:
    """As other records have them: microseconds are noise."""
    return None if value is None else round(value, 6)
