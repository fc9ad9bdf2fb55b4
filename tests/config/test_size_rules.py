# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fvhydra.config.model import Constraints
from fvhydra.config.sampling import Sampling
from fvhydra.config.size_rules import problems
from fvhydra.testing import cases


@pytest.mark.parametrize(
    ("model", "key", "value", "rule"),
    [
        ("ltx2", "num_frames", 46, "a multiple of 8 plus 1 for model=ltx2; nearest: 41 or 49."),
        ("ltx2", "num_frames", 2, "a multiple of 8 plus 1 for model=ltx2; nearest: 1 or 9."),
        ("wan21_t2v_1_3b", "num_frames", 46, "a multiple of 4 plus 1 for model=wan21_t2v_1_3b; nearest: 45 or 49."),
        ("ltx2", "height", 500, "a multiple of 32 for model=ltx2; nearest: 480 or 512."),
        ("ltx2", "width", 20, "a multiple of 32 for model=ltx2; nearest: 32."),
    ],
)
def test_a_size_off_the_grid_is_named_with_its_neighbours(model: str, key: str, value: int, rule: str) -> None:
    sampling = cases.sampling(model, **({"height": 192, "width": 192} | {key: value}))
    assert problems(cases.model(model), sampling) == [f"sampling.{key}={value}: must be {rule}"]


def test_all_problems_are_listed_at_once() -> None:
    bad = cases.sampling("ltx2", num_frames=2, height=33, width=33)
    assert len(problems(cases.model("ltx2"), bad)) == 3


def test_what_the_library_decides_is_no_problem() -> None:
    assert problems(cases.model("ltx2"), cases.sampling("ltx2", num_frames=None, height=None, width=None)) == []


def test_frame_counts_of_known_references_are_legal_off_the_grid() -> None:
    assert problems(cases.model("ltx2"), cases.sampling("ltx2", num_frames=45)) == []


def test_a_model_that_drops_frames_needs_more_than_it_drops() -> None:
    model = cases.model("hunyuan_i2v", constraints=Constraints(frames_multiple=4, size_multiple=16, frames_dropped=4))
    (problem,) = problems(model, cases.sampling("hunyuan_i2v", height=192, width=192, num_frames=1))
    assert "must be more than 4" in problem


@pytest.mark.parametrize("tier", cases.TIERS)
@pytest.mark.parametrize("model", cases.MODELS)
def test_every_tier_of_every_model_is_within_the_models_limits(model: str, tier: str) -> None:
    assert problems(cases.model(model), cases.read(Sampling, "sampling", model, f"{tier}.yaml")) == []


@pytest.mark.parametrize("side", [160, 176])
def test_clips_that_are_too_small_for_five_scales_are_refused(side: int) -> None:
    found = problems(cases.model("wan21_t2v_1_3b"), cases.sampling("wan21_t2v_1_3b", height=side, width=832))
    assert found == (["sampling.height=160: five-scale MS-SSIM needs more than 160."] if side == 160 else [])


def test_a_clip_has_an_end() -> None:
    large = cases.sampling("ltx2", num_frames=99_993, height=16_384, width=16_384)
    (problem,) = problems(cases.model("ltx2"), large)
    assert problem.startswith("sampling.num_frames x height x width = 26,")
    assert problem.endswith("must be at most 4,294,967,296.")
