# SPDX-License-Identifier: Apache-2.0
"""The automatic part of a review: checks of numbers that a person should not have to make."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fvhydra.core.artifacts import Numerics
from fvhydra.core.case import Case
from fvhydra.core.result import Criterion
from fvhydra.media import latent

_LEAST_CONTRAST = 1.0
"""Standard deviation of the middle frame, of 255 levels: a broken decode is black, grey or white throughout."""


def review_latent(bundle: latent.LatentBundle, case: Case) -> tuple[list[Criterion], Numerics]:
    """Check a new latent bundle against what its model's latents look like.

    Returns:
        The criteria, and the numerics for the report. A failing criterion blocks publishing unless ``op.accept`` names
        it.
    """
    spec = case.model.latent
    assert spec is not None  # ModelConfig guarantees it for artifact=latent
    numerics = latent.numerics(bundle)
    shape = list(bundle.shape)
    shape_fits = len(shape) == len(spec.shape) and all(
        want in (None, have) for want, have in zip(spec.shape, shape, strict=True)
    )
    misfit = latent.fits(bundle.slice_kind, tuple(shape))
    finite = numerics.nan_count == 0 and numerics.inf_count == 0
    mean, std = numerics.mean, numerics.std
    criteria = [
        Criterion("format_version", bundle.format_version == 1, str(bundle.format_version), "1"),
        Criterion("shape", shape_fits, _shape(shape), _shape(spec.shape)),
        Criterion("slice_kind", misfit is None, misfit or bundle.slice_kind, f"{spec.slice_kind} fits the shape"),
        Criterion("finite", finite, f"{numerics.nan_count} NaN, {numerics.inf_count} infinite", "0 of either"),
        Criterion(
            "mean",
            mean is not None and abs(mean) <= spec.mean_abs_max,
            _number(mean),
            f"|mean| <= {spec.mean_abs_max:g}",
        ),
        Criterion(
            "std",
            std is not None and spec.std_min <= std <= spec.std_max,
            _number(std),
            f"{spec.std_min:g} to {spec.std_max:g}",
        ),
        Criterion(
            "prompt",
            bundle.metadata.get("prompt") == case.prompt,
            str(bundle.metadata.get("prompt")),
            "the case's prompt",
        ),
    ]
    return criteria, numerics


def review_pixels(frames: NDArray[np.uint8], case: Case) -> list[Criterion]:
    """Check a new clip, uint8 ``[T, H, W, 3]``, for what no approved clip can be: of another size, or of one colour."""
    sampling, (count, height, width, _) = case.sampling, frames.shape
    wanted = None if sampling.num_frames is None else sampling.num_frames - case.model.constraints.frames_dropped
    size = (sampling.height or height, sampling.width or width)
    contrast = float(frames[count // 2].std())
    return [
        Criterion("frames", wanted in (None, count), str(count), "any" if wanted is None else str(wanted)),
        Criterion("size", (height, width) == size, f"{height}x{width}", f"{size[0]}x{size[1]}"),
        Criterion("contrast", contrast >= _LEAST_CONTRAST, f"{contrast:.3g}", f">= {_LEAST_CONTRAST} levels"),
    ]


def review_origin(case: Case, procedural: bool) -> list[Criterion]:
    """Criteria that fail because of what made the artifact: disturbed weights, or no real engine; empty when none does.

    Args:
        procedural: Whether the engine made it up, with no weights of a model.
    """
    criteria = []
    if noise := case.tier.perturb_weights:
        criteria.append(Criterion("undisturbed_weights", False, f"tier.perturb_weights={noise:g}", "0"))
    if procedural and case.tier.weights != "tiny":
        given = f"{case.engine} in tier={case.tier.name}"
        criteria.append(Criterion("real_engine", False, given, "an engine with weights"))
    return criteria


def _shape(sizes: Sequence[int | None]) -> str:
    return " x ".join("any" if size is None else str(size) for size in sizes)


def _number(value: float | None) -> str:
    return "nothing finite" if value is None else f"{value:.4g}"
