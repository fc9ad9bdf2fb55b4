# SPDX-License-Identifier: Apache-2.0
"""The metrics of this package: id to class, imported when it is asked for.

A metric from outside this package needs no entry: ``metrics.use.<family>.<name>._target_`` names its class.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from fvhydra.core import extras
from fvhydra.core.errors import UsageError, nearest
from fvhydra.core.loading import load_class
from fvhydra.metrics.base import Metric, SetMetric, Skip
from fvhydra.metrics.planned import PLANNED
from fvhydra.metrics.spec import Spec

CLASSES: dict[str, str] = {
    "audio.audiobox_aesthetics": "fvhydra.metrics.audio.audiobox_aesthetics.AudioboxAesthetics",
    "audio.clap_score": "fvhydra.metrics.audio.clap_score.ClapScore",
    "audio.desync": "fvhydra.metrics.audio.desync.AudioDesync",
    "audio.frechet_distance": "fvhydra.metrics.audio.frechet_distance.FrechetDistance",
    "audio.frechet_distance_clap": "fvhydra.metrics.audio.frechet_distance.ClapFrechetDistance",
    "audio.imagebind_score": "fvhydra.metrics.audio.imagebind_score.ImageBindScore",
    "audio.kl_divergence": "fvhydra.metrics.audio.kl_divergence.KlDivergence",
    "audio.wer": "fvhydra.metrics.audio.wer.WordErrorRate",
    "common.fvd": "fvhydra.metrics.common.fvd.Fvd",
    "common.lpips": "fvhydra.metrics.common.lpips.Lpips",
    "common.ms_ssim": "fvhydra.metrics.common.pixel.MsSsim",
    "common.psnr": "fvhydra.metrics.common.pixel.Psnr",
    "common.ssim": "fvhydra.metrics.common.pixel.Ssim",
    "judge.preference": "fvhydra.metrics.judge.preference.Preference",
    "optical_flow.gt_dis": "fvhydra.metrics.optical_flow.metrics.DisFlow",
    "optical_flow.gt_optical_flow": "fvhydra.metrics.optical_flow.metrics.GivenFlow",
    "optical_flow.synthetic_dis": "fvhydra.metrics.optical_flow.metrics.DisSyntheticFlow",
    "optical_flow.synthetic_optical_flow": "fvhydra.metrics.optical_flow.metrics.GivenSyntheticFlow",
    "physics_iq.mse": "fvhydra.metrics.physics_iq.measures.Mse",
    "physics_iq.score": "fvhydra.metrics.physics_iq.score.PhysicsIqScore",
    "physics_iq.spatial_iou": "fvhydra.metrics.physics_iq.measures.SpatialIou",
    "physics_iq.spatiotemporal_iou": "fvhydra.metrics.physics_iq.measures.SpatiotemporalIou",
    "physics_iq.weighted_spatial_iou": "fvhydra.metrics.physics_iq.measures.WeightedSpatialIou",
    "vbench.aesthetic_quality": "fvhydra.metrics.vbench.aesthetic_quality.AestheticQuality",
    "vbench.appearance_style": "fvhydra.metrics.vbench.appearance_style.AppearanceStyle",
    "vbench.background_consistency": "fvhydra.metrics.vbench.background_consistency.BackgroundConsistency",
    "vbench.dynamic_degree": "fvhydra.metrics.vbench.dynamic_degree.DynamicDegree",
    "vbench.imaging_quality": "fvhydra.metrics.vbench.imaging_quality.ImagingQuality",
    "vbench.motion_smoothness": "fvhydra.metrics.vbench.motion_smoothness.MotionSmoothness",
    "vbench.subject_consistency": "fvhydra.metrics.vbench.subject_consistency.SubjectConsistency",
    "vbench.temporal_flickering": "fvhydra.metrics.vbench.temporal_flickering.TemporalFlickering",
    "vlm.videoscore2": "fvhydra.metrics.vlm.videoscore2.VideoScore2",
}
"""Id to dotted path. One line a metric; ``conf/metrics/`` has its parameters with their defaults."""


def ids() -> list[str]:
    """Every id, planned ones included, sorted."""
    return sorted([*CLASSES, *PLANNED])


def metric_class(metric: str, target: str | None = None) -> type[Metric]:
    """The class of a metric; its module is imported now.

    Args:
        metric: Its id.
        target: Dotted path of a class from outside this package.

    Raises:
        UsageError: There is no such metric, it is only planned, or its class does not keep the contract.
    """
    if target is None and metric in PLANNED:
        raise UsageError(
            f"{metric} is planned and cannot be computed yet.", f"What it will be: fvhydra op=metrics metric={metric}"
        )
    if target is None and metric not in CLASSES:
        raise UsageError(f"There is no metric {metric}.{nearest(metric, ids())}", "All of them: fvhydra op=metrics")
    key = f"metrics.use.{metric}"
    found: type[Metric] = load_class(target or CLASSES[metric], f"{key}._target_", Metric)
    if problem := _problem(found):
        raise UsageError(
            f"{key}._target_={target or CLASSES[metric]} is no metric: {problem}.",
            "docs/adding_a_metric.md has an example; fvhydra.testing.metrics tests one.",
        )
    if found.spec.id != metric:
        raise UsageError(f"{key}._target_ is the metric {found.spec.id}; use that id.")
    return found


def _problem(found: type[Metric]) -> str:
    """What a class that derives from :class:`Metric` still lacks; empty where nothing."""
    described = getattr(found, "spec", None)
    if not isinstance(described, Spec):
        return f"{found.__name__}.spec is not a Spec"
    if (described.kind == "set") != issubclass(found, SetMetric):
        return f"its kind is {described.kind!r}, and only those of kind 'set' derive from SetMetric"
    if not dataclasses.is_dataclass(described.params):
        return "spec.params is not a dataclass"
    try:
        described.params()
    except (TypeError, ValueError) as error:
        return f"spec.params has no default for everything ({str(error).splitlines()[0]})"
    return ""


def missing_package(described: Spec, params: Any) -> Skip | None:
    """Which Python packages the metric needs with these parameters, and this environment lacks."""
    lacking = extras.missing(described.imports(params))
    return Skip("no_dependency", f"needs: {extras.install_line(lacking)}") if lacking else None
