"""The automatic part of a review: what a person should not have to look for in numbers."""

from __future__ import annotations

from typing import Any

from fvhydra.core.case import Case
from fvhydra.core.result import Criterion
from fvhydra.media import latent


def review_latent(bundle: latent.LatentBundle, case: Case) -> tuple[list[Criterion], dict[str, Any]]:
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
        Criterion("shape", shape_fits, str(shape), str(["any" if n is None else n for n in spec.shape])),
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
    return criteria, vars(numerics)


def _number(value: float | None) -> str:
    return "nothing finite" if value is None else f"{value:.4g}"
