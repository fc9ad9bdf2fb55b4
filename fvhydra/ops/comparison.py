# SPDX-License-Identifier: Apache-2.0
"""Comparing one generated case with its reference, and keeping the numbers beside the artifact."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from fvhydra.config.metrics import MetricsConfig, choices
from fvhydra.core import files
from fvhydra.core.artifacts import LatentNumerics, LatentThresholds, PixelThresholds, SliceSpec
from fvhydra.core.errors import UsageError
from fvhydra.core.result import CaseResult, Criterion
from fvhydra.core.verdict import Verdict
from fvhydra.media import latent
from fvhydra.ops.context import Context
from fvhydra.ops.generation import Generated
from fvhydra.ops.references import References, environment_difference

_SHOWN = ("common.ssim", "common.psnr")


def shown_metrics(config: MetricsConfig) -> list[str]:
    """The ids of further metrics a frame, shown beside the gate's own MS-SSIM.

    Raises:
        UsageError: ``metrics=`` asks for others.
    """
    asked = [choice.id for choice in choices(config)]
    others = [name for name in asked if name not in (*_SHOWN, "common.ms_ssim")]
    if others:
        raise UsageError(
            f"metrics= asks for {', '.join(others)}; beside the gate's MS-SSIM only {' and '.join(_SHOWN)} are shown.",
            "Score the run's clips afterwards: op=eval run=<its folder>.",
        )
    return [name for name in asked if name in _SHOWN]


def compare_with_reference(context: Context, made: Generated, references: References, path: str) -> CaseResult:
    """Fetch the reference at ``path``, compare, write ``steps<N>_<stem>_{ssim,latent}.json`` beside the artifact."""
    case, progress = made.case, context.progress
    progress.stage("fetch", case.index, path)
    reference = references.fetch(path)
    made.files.append(reference)
    progress.stage("compare", case.index)
    sidecar = references.sidecar(path)
    result = CaseResult(
        index=case.index,
        prompt=case.prompt,
        seed=case.seed,
        fingerprint=case.fingerprint,
        verdict=Verdict.PASS,
        kind=case.model.artifact,
        artifact=context.run.relative(made.artifact),
        reference=context.run.relative(reference),
        store_path=path,
        environment_difference=environment_difference(sidecar, made.environment),
        history=references.history(path),
        seconds=made.media.seconds,
    )
    if case.model.artifact == "latent":
        _compare_latents(context, made, reference, result)
    else:
        _compare_pixels(context, made, reference, result)
    result.recipe_known = sidecar is not None
    failed = [criterion for criterion in result.criteria if not criterion.passed]
    if failed:
        result.verdict = Verdict.REGRESSION
        result.message = "; ".join(f"{item.name} is {item.given}, allowed {item.allowed}" for item in failed) + "."
    else:
        result.message = "; ".join(f"{item.name} {item.given}" for item in result.criteria) + "."
    _keep(context, made, result)
    return result


def _compare_latents(context: Context, made: Generated, reference: Path, result: CaseResult) -> None:
    from fvhydra.similarity.latent import compare_latents, difference_map

    assert made.media.latent is not None
    gate = made.case.model.latent_gate
    bundle = latent.load_bundle(reference)
    comparison = compare_latents(bundle, made.media.latent)
    generated = latent.load_bundle(made.artifact)
    result.numerics = LatentNumerics(latent.numerics(bundle), latent.numerics(generated))
    limits = LatentThresholds(gate.slice_cosine, gate.full_cosine)
    result.comparison = replace(comparison, slice_spec=SliceSpec(bundle.slice_kind), thresholds=limits)
    if comparison.difference is not None:
        result.criteria = [Criterion("comparable", False, comparison.difference, "equal shapes")]
    else:
        result.criteria = [
            _at_most("slice_cosine_distance", comparison.slice_cosine_distance, gate.slice_cosine),
            _at_most("full_cosine_distance", comparison.full_cosine_distance, gate.full_cosine),
        ]
        path = made.artifact.with_suffix(".difference.npy")
        with files.atomic_path(path, suffix=".npy") as temporary:
            np.save(temporary, difference_map(bundle, made.media.latent))
        result.difference_map = context.run.relative(path)
        made.files.append(path)


def _compare_pixels(context: Context, made: Generated, reference: Path, result: CaseResult) -> None:
    from fvhydra.similarity.pixel import compare_videos

    gate = made.case.model.pixel_gate
    further = shown_metrics(context.config.metrics)
    comparison = compare_videos(reference, made.artifact, context.progress, metrics=further)
    result.comparison = replace(comparison, thresholds=PixelThresholds(gate.mean_ms_ssim, gate.min_ms_ssim))
    if comparison.difference is not None:
        result.criteria = [Criterion("comparable", False, comparison.difference, "equal frame counts, sizes and fps")]
        return
    result.criteria = [_at_least("mean MS-SSIM", comparison.mean_ssim, gate.mean_ms_ssim)]
    if gate.min_ms_ssim is not None:
        result.criteria.append(_at_least("worst frame's MS-SSIM", comparison.min_ssim, gate.min_ms_ssim))


def _at_most(name: str, value: float | None, limit: float) -> Criterion:
    return Criterion(name, value is not None and value <= limit, _number(value), f"<= {limit:g}")


def _at_least(name: str, value: float | None, limit: float) -> Criterion:
    return Criterion(name, value is not None and value >= limit, _number(value), f">= {limit:g}")


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.6g}"


def _keep(context: Context, made: Generated, result: CaseResult) -> None:
    """The file that other tools of the ecosystem read; keys as they know them."""
    case = made.case
    assert result.comparison is not None
    result.comparison = replace(result.comparison, passed=result.verdict is Verdict.PASS)
    comparison = files.plain(result.comparison)
    parameters = {"num_inference_steps": case.sampling.num_inference_steps, "prompt": case.prompt, "seed": case.seed}
    shared = {"model_id": case.model.model_id, "attention_backend": case.backend.folder, "parameters": parameters}
    if case.model.artifact == "latent":
        names: tuple[str, ...] = ("slice_cosine_distance", "full_cosine_distance", "max_abs_diff")
        suffix, record = (
            "latent",
            {
                "metrics": {name: comparison[name] for name in names},
                "reference_latent": result.reference,
                "generated_latent": result.artifact,
                **{key: comparison[key] for key in ("slice_spec", "thresholds", "passed", "difference")},
            },
        )
    else:
        names = (
            "mean_ssim",
            "min_ssim",
            "max_ssim",
            "worst_frame",
            "per_frame",
            "frames",
            "fps",
            "metrics",
        )
        suffix, record = (
            "ssim",
            {
                **{name: comparison[name] for name in names},
                "reference_video": result.reference,
                "generated_video": result.artifact,
                "thresholds": comparison["thresholds"],
                "passed": comparison["passed"],
            },
        )
    name = f"steps{case.sampling.num_inference_steps}_{made.artifact.stem}_{suffix}.json"
    path = made.artifact.with_name(name)
    files.write_json(path, record | shared)
    made.files.append(path)
