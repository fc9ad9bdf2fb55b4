# SPDX-License-Identifier: Apache-2.0
"""What no eye should have to find in what is going to be a reference."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from fvhydra.config.backend import BackendConfig
from fvhydra.config.gpu import GpuConfig
from fvhydra.config.model import Constraints, LatentSpec, ModelConfig
from fvhydra.config.sampling import Sampling
from fvhydra.config.tier import TierConfig
from fvhydra.core.case import Case
from fvhydra.core.result import Criterion
from fvhydra.media.latent import LatentBundle, numerics
from fvhydra.review.criteria import review_latent, review_origin, review_pixels

SPEC = LatentSpec("corner_3x3_first_frame", [1, 2, None, 4, 4], mean_abs_max=0.5, std_min=0.5, std_max=2.0)
CASE = Case(
    index=0,
    prompt="a cat",
    seed=1,
    model=ModelConfig(
        name="m",
        model_id="M",
        family="f",
        workload="t2v",
        artifact="latent",
        weights="org/m",
        pipeline="P",
        latent=SPEC,
        constraints=Constraints(frames_dropped=1),
    ),
    sampling=Sampling(seed=1, num_inference_steps=4, height=16, width=24, num_frames=9),
    engine="mock",
    backend=BackendConfig(name="torch_sdpa", folder="TORCH_SDPA"),
    tier=TierConfig(name="default", weights="hub"),
    gpu=GpuConfig(name="cpu", folder="CPU", pattern=".*", count=0),
)


def _bundle(
    shape: tuple[int, ...] = (1, 2, 3, 4, 4), mean: float = 0.0, std: float = 1.0, **parts: Any
) -> LatentBundle:
    """A latent of two values that have exactly this mean and this deviation."""
    latent = np.full(shape, mean - std, np.float16)
    latent.reshape(-1)[::2] = mean + std
    made = LatentBundle(latent, "torch.float32", np.zeros(18, np.float32), SPEC.slice_kind, {"prompt": "a cat"})
    return dataclasses.replace(made, **parts)


def _latent(bundle: LatentBundle, **spec: Any) -> dict[str, Criterion]:
    model = dataclasses.replace(CASE.model, latent=dataclasses.replace(SPEC, **spec))
    criteria, summary = review_latent(bundle, dataclasses.replace(CASE, model=model))
    assert summary == numerics(bundle)
    return {criterion.name: criterion for criterion in criteria}


def _failing(criteria: dict[str, Criterion]) -> list[str]:
    return [name for name, criterion in criteria.items() if not criterion.passed]


def test_a_sane_latent_passes_and_what_was_looked_at_is_shown() -> None:
    assert list(_latent(_bundle()).values()) == [
        Criterion("format_version", True, "1", "1"),
        Criterion("shape", True, "1 x 2 x 3 x 4 x 4", "1 x 2 x any x 4 x 4"),
        Criterion("slice_kind", True, "corner_3x3_first_frame", "corner_3x3_first_frame fits the shape"),
        Criterion("finite", True, "0 NaN, 0 infinite", "0 of either"),
        Criterion("mean", True, "0", "|mean| <= 0.5"),
        Criterion("std", True, "1", "0.5 to 2"),
        Criterion("prompt", True, "a cat", "the case's prompt"),
    ]


@pytest.mark.parametrize(
    ("bundle", "name", "given"),
    [
        (_bundle(format_version=2), "format_version", "2"),
        (_bundle((1, 2, 3, 4, 5)), "shape", "1 x 2 x 3 x 4 x 5"),
        (_bundle((1, 3, 3, 4, 4)), "shape", "1 x 3 x 3 x 4 x 4"),
        (_bundle(mean=0.75), "mean", "0.75"),
        (_bundle(mean=-0.75), "mean", "-0.75"),
        (_bundle(std=0.25), "std", "0.25"),
        (_bundle(std=2.125), "std", "2.125"),
        (_bundle(metadata={"prompt": "a dog"}), "prompt", "a dog"),
        (_bundle(metadata={}), "prompt", "None"),
    ],
)  # fmt: skip
def test_one_thing_that_is_off_fails_one_criterion(bundle: LatentBundle, name: str, given: str) -> None:
    criteria = _latent(bundle)
    assert _failing(criteria) == [name] and criteria[name].given == given


@pytest.mark.parametrize("bundle", [_bundle(mean=0.5), _bundle(mean=-0.5), _bundle(std=0.5), _bundle(std=2.0)])
def test_limits_themselves_pass(bundle: LatentBundle) -> None:
    assert _failing(_latent(bundle)) == []


def test_a_slice_that_does_not_fit_is_said() -> None:
    criteria = _latent(_bundle((1, 2, 4)), shape=[1, 2, 4])
    assert _failing(criteria) == ["slice_kind"]
    assert criteria["slice_kind"].given.startswith(
        "Slice kind 'corner_3x3_first_frame' needs a latent of rank 5, not 3"
    )
    assert _failing(_latent(_bundle((1, 2, 4)))) == ["shape", "slice_kind"]


@pytest.mark.parametrize(("value", "counts"), [(np.nan, "1 NaN, 0 infinite"), (np.inf, "0 NaN, 1 infinite")])
def test_a_single_value_that_is_not_finite_fails(value: float, counts: str) -> None:
    bundle = _bundle()
    bundle.latent[0, 0, 0, 0, 0] = value
    criteria = _latent(bundle)
    assert _failing(criteria) == ["finite"] and criteria["finite"].given == counts


def test_a_latent_without_a_finite_value_has_no_mean_and_fails() -> None:
    criteria = _latent(_bundle(latent=np.full((1, 2, 3, 4, 4), np.nan, np.float16)))
    assert _failing(criteria) == ["finite", "mean", "std"]
    assert criteria["mean"].given == criteria["std"].given == "nothing finite"


def _frames(count: int = 8, height: int = 16, width: int = 24, contrast: float = 60) -> np.ndarray:
    """A clip whose middle frame alone has a contrast: half of its pixels are so far above the mean, half below."""
    frames = np.full((count, height, width, 3), 100, np.uint8)
    frames[count // 2, ::2] = 100 - contrast
    frames[count // 2, 1::2] = 100 + contrast
    return frames


def test_a_sane_clip_passes_and_what_was_looked_at_is_shown() -> None:
    assert review_pixels(_frames(), CASE) == [
        Criterion("frames", True, "8", "8"),  # nine are asked for, and the model gives one fewer
        Criterion("size", True, "16x24", "16x24"),
        Criterion("contrast", True, "60", ">= 1.0 levels"),
    ]
    anything = dataclasses.replace(
        CASE, sampling=dataclasses.replace(CASE.sampling, num_frames=None, height=None, width=None)
    )
    assert review_pixels(_frames(3, 8, 10, 1), anything) == [
        Criterion("frames", True, "3", "any"),
        Criterion("size", True, "8x10", "8x10"),
        Criterion("contrast", True, "1", ">= 1.0 levels"),
    ]


@pytest.mark.parametrize(
    ("frames", "name", "given"),
    [
        (_frames(9), "frames", "9"),
        (_frames(height=24), "size", "24x24"),
        (_frames(width=16), "size", "16x16"),
        (_frames(contrast=0), "contrast", "0"),
    ],
)
def test_one_thing_that_is_off_fails_one_criterion_of_a_clip(frames: np.ndarray, name: str, given: str) -> None:
    found = {criterion.name: criterion for criterion in review_pixels(frames, CASE)}
    assert _failing(found) == [name] and found[name].given == given


def test_a_contrast_is_shown_with_three_digits() -> None:
    frames = _frames()
    frames[4, 0, 0] = 255
    [_, _, contrast] = review_pixels(frames, CASE)
    assert contrast.given == f"{frames[4].std():.3g}" != "60"


def test_what_made_it_is_no_reason_against_real_weights() -> None:
    assert review_origin(CASE, procedural=False) == []
    tiny = dataclasses.replace(CASE, tier=TierConfig(name="smoke", weights="tiny"))
    assert review_origin(tiny, procedural=True) == []


def test_disturbed_weights_and_made_up_clips_are_no_references() -> None:
    disturbed = dataclasses.replace(CASE, tier=TierConfig(name="default", weights="hub", perturb_weights=0.125))
    noise = Criterion("undisturbed_weights", False, "tier.perturb_weights=0.125", "0")
    made_up = Criterion("real_engine", False, "mock in tier=default", "an engine with weights")
    assert review_origin(disturbed, procedural=False) == [noise]
    assert review_origin(CASE, procedural=True) == [made_up]
    assert review_origin(disturbed, procedural=True) == [noise, made_up]
