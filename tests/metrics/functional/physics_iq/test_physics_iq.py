# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fvhydra.metrics.functional.physics_iq.agreement import (
    Agreement,
    agree,
    iou,
    shrink_frames,
    shrink_masks,
    weighted_iou,
    working_size,
)
from fvhydra.metrics.functional.physics_iq.motion import motion_masks, through_mp4
from fvhydra.metrics.functional.physics_iq.score import Judged, Means, clip_score, corpus_score
from tests.metrics.golden import load, recipes
from tests.metrics.mutations import PICTURES

GOLDEN = load("physics_iq")
CASES = {case["name"]: case for case in GOLDEN["cases"]}
FRAMES = GOLDEN["settings"]["target_fps"] * GOLDEN["settings"]["duration_seconds"]
Clip = NDArray[np.uint8]


def first_frames(recipe: dict[str, Any], sha: str) -> Clip:
    return recipes.clip(recipes.checked(recipe, sha))[:FRAMES]


TAKE1, TAKE2 = (first_frames(GOLDEN[f"reference_{take}"], GOLDEN["sha"][take]) for take in ("take1", "take2"))
SIZE = working_size(*TAKE1.shape[1:3])


def compare(clip: Clip, reference: Clip, coded: bool = False) -> Agreement:
    masks = motion_masks(clip)
    generated = shrink_frames(clip, SIZE), shrink_masks(through_mp4(masks, fps=6) if coded else masks, SIZE)
    return agree(*generated, shrink_frames(reference, SIZE), shrink_masks(motion_masks(reference), SIZE))


def agreements(name: str, coded: bool = False) -> tuple[Agreement, Agreement]:
    case = CASES[name]
    # the recorded program takes the first take for a generated clip when it compares it with the second
    return compare(first_frames(case["generated"], case["sha"]), TAKE1, coded), compare(TAKE1, TAKE2, coded)


def judged(agreement: Agreement, variance: Agreement, scenario: str = "") -> Judged:
    return Judged(Means.of(agreement), Means.of(variance), len(agreement.mse), scenario)


def test_recorded_masks() -> None:
    masks = np.stack(list(motion_masks(TAKE1)))
    assert (masks > 0).sum(axis=(1, 2)).tolist() == GOLDEN["take1_full_res_mask_pixels_per_frame"]
    assert (len(masks), *SIZE, 3) == tuple(CASES["good"]["quarter_shape"])


@pytest.mark.parametrize("name", CASES)
def test_recorded(name: str) -> None:
    case, found = CASES[name], agreements(name)
    generated = first_frames(case["generated"], case["sha"])
    pixels = shrink_masks(motion_masks(generated), SIZE).sum(axis=(1, 2))
    assert pixels.tolist() == case["mask_pixels_per_frame_generated"]
    for prefix, agreement in zip(("", "pv_"), found, strict=True):
        for measure in ("mse", "spatiotemporal_iou"):
            values, expected = getattr(agreement, measure), case["details"]
            assert values == pytest.approx(expected[f"{prefix}{measure}_per_frame"], abs=1e-9)
            assert values.mean() == pytest.approx(expected[f"{prefix}{measure}_mean"], abs=1e-9)
        for measure in ("spatial_iou", "weighted_spatial_iou"):
            assert getattr(agreement, measure) == pytest.approx(case["details"][f"{prefix}{measure}"], abs=1e-6)
    assert clip_score(judged(*found)) == case["per_video_score"]


@pytest.mark.parametrize("name", CASES)
def test_recorded_through_the_codec(name: str) -> None:
    found, expected = judged(*agreements(name, coded=True)), CASES[name]["with_mp4v_roundtrip"]
    assert found.agreement.spatial_iou == pytest.approx(expected["spatial_iou"], abs=1e-4)
    assert found.agreement.weighted_spatial_iou == pytest.approx(expected["weighted_spatial_iou"], abs=1e-4)
    assert found.agreement.spatiotemporal_iou == pytest.approx(expected["spatiotemporal_iou_mean"], abs=1e-4)
    assert clip_score(found) == pytest.approx(CASES[name]["per_video_score_roundtrip"], abs=0.005)


@pytest.mark.parametrize(
    ("group", "names"), [("all_four", list(CASES)), ("good_and_wrong", ["good", "wrong_direction"])]
)
def test_recorded_corpus(group: str, names: list[str]) -> None:
    clips = [judged(*agreements(name)) for name in names]
    assert corpus_score(clips, "peer") == GOLDEN["aggregate"][group]["physics_iq"]


def upstream_table() -> list[Judged]:
    """The table of the official aggregation: four scenarios of three views, ten frames each."""
    random = np.random.RandomState(91)
    clips = []
    for scenario in range(4):
        for _ in range(3):
            bounds = [((0, 0.05), (0.1, 0.5), (0.2, 0.6), (0.1, 0.5)), ((0, 0.01), (0.4, 0.8), (0.6, 0.9), (0.5, 0.8))]
            found = []
            for mse, st, s, ws in bounds:
                frames = [random.uniform(*mse, 10).round(4), random.uniform(*st, 10).round(4)]
                found.append(Agreement(*frames, random.uniform(*s), random.uniform(*ws)))
            clips.append(judged(*found, scenario=str(scenario)))
    return clips


def test_recorded_official_aggregation() -> None:
    golden = load("physics_iq_upstream")
    clips = upstream_table()
    assert np.mean([clip.agreement.mse for clip in clips]) == pytest.approx(golden["peer"]["a_mse"])
    assert corpus_score(clips) == golden["upstream_score"]
    assert corpus_score(clips, "peer") == golden["peer"]["physics_iq"]


def official_score(clips: list[Judged]) -> float:
    """``calculate_iq_score`` of the benchmark, from its description: means first, then ratios, then the bounds."""

    def mean(side: str, measure: str, decimals: int | None = None) -> float:
        scenarios: dict[str, list[float]] = {}
        for clip in clips:
            scenarios.setdefault(clip.scenario, []).append(getattr(getattr(clip, side), measure))
        found = float(np.mean([np.mean(values) for values in scenarios.values()]))
        return found if decimals is None else round(found, decimals)

    decimals = {"spatiotemporal_iou": 4, "spatial_iou": 5, "weighted_spatial_iou": 4}
    ratios = [mean("agreement", name) / mean("variance", name, places) for name, places in decimals.items()]
    score = 100 * (np.mean(ratios) - (mean("agreement", "mse") - mean("variance", "mse", 4)))
    return round(max(min(float(score), 100.0), 0.0), 2)


@pytest.mark.parametrize("seed", range(20))
def test_corpora_with_takes_that_share_nothing_score_as_officially(seed: int) -> None:
    """The clips stay in the score although their own is undefined."""
    random = np.random.default_rng(seed)
    clips = []
    for number in range(6):
        agreement = Means(random.uniform(0, 0.05), *random.uniform(0.1, 0.6, 3))
        variance = Means(random.uniform(0, 0.01), *random.uniform(0.3, 0.9, 3) * (number % 3 > 0))
        clips.append(Judged(agreement, variance, 10, scenario=str(number // 2)))
    with pytest.raises(ValueError, match="divided"):
        clip_score(clips[0])
    assert corpus_score(clips) == official_score(clips)
    assert corpus_score(clips) != corpus_score([clip for clip in clips if clip.variance.spatial_iou])


def scored(agreement: tuple[float, ...], variance: tuple[float, ...]) -> tuple[float, float, float]:
    clip = Judged(Means(*agreement), Means(*variance), 10)
    return clip_score(clip), corpus_score([clip]), corpus_score([clip], "peer")


def test_scores_are_held_to_0_to_100() -> None:
    """139.50 is 100 officially, and what is worse than nothing is 0."""
    assert scored((0, 0.75, 0.75, 0.75), (0, 0.5, 0.5, 0.5)) == (100, 100, 100)
    assert scored((0.9, 0.1, 0.1, 0.1), (0, 0.5, 0.5, 0.5)) == (0, 0, 0)


def test_scores_have_two_decimals_and_the_variance_those_of_the_benchmarks_table() -> None:
    assert scored((0, 0.2, 0.2, 0.2), (0, 0.3, 0.3, 0.3)) == (66.67, 66.67, 66.67)
    random = np.random.default_rng(1)
    for _ in range(300):  # of so small variances every decimal counts
        clip = Judged(Means(0.0, *random.uniform(0, 0.01, 3)), Means(*random.uniform(0.01, 0.03, 4)), 1)
        assert corpus_score([clip]) == official_score([clip])


def test_the_two_aggregations_differ_where_scenarios_do() -> None:
    def clip(iou: float, scenario: str, frames: int = 10) -> Judged:
        return Judged(Means(0.0, iou, iou, iou), Means(0.0, 1.0, 1.0, 1.0), frames, scenario)

    clips = [clip(0.6, "filmed thrice")] * 3 + [clip(0.2, "once")]
    assert corpus_score(clips) == 40
    assert corpus_score(clips, "peer") == 50


def test_longer_clips_count_for_more_frames() -> None:
    def clip(mse: float, iou: float, frames: int) -> Judged:
        return Judged(Means(mse, iou, 0.5, 0.5), Means(0.0, 1.0, 1.0, 1.0), frames)

    expected = 100 * ((0.7 + 0.5 + 0.5) / 3 - 0.125)
    assert corpus_score([clip(0.1, 0.8, 30), clip(0.2, 0.4, 10)], "peer") == pytest.approx(expected, abs=0.005)


def test_units() -> None:
    empty, left = np.zeros((2, 4), bool), np.zeros((2, 4), bool)
    left[:, :2] = True
    assert iou(empty, empty) == GOLDEN["iou_units"]["both_empty"] == 1
    assert weighted_iou(empty.astype(float), empty.astype(float)) == GOLDEN["iou_units"]["weighted_empty"] == 1
    assert iou(left, empty) == 0
    assert iou(left, ~empty) == 0.5
    assert weighted_iou(np.asarray([1.0, 0.5]), np.asarray([0.5, 0.5])) == pytest.approx(2 / 3)


def test_the_same_clip_is_ideal() -> None:
    found = compare(TAKE1, TAKE1)
    assert not found.mse.any()
    assert [found.spatiotemporal_iou.min(), found.spatial_iou, found.weighted_spatial_iou] == [1, 1, 1]
    assert clip_score(judged(found, found)) == 100


@pytest.mark.parametrize("name", ["freeze", "repeat a frame", "shift by one", "noise"])
def test_mutations_lower_it(name: str) -> None:
    found = compare(PICTURES[name](TAKE1), TAKE1)
    assert found.mse.sum() > 0
    if name != "noise":  # which the blur takes away: it moves nothing
        assert found.spatiotemporal_iou.mean() < 1
        assert found.weighted_spatial_iou < 1


def test_odd_sizes_through_the_codec() -> None:
    masks = [mask[:95, :127] for mask in motion_masks(TAKE1)]
    assert {mask.shape for mask in through_mp4(masks, fps=6)} == {(94, 126)}
    assert list(through_mp4([], fps=6)) == []


def test_refuses_what_cannot_be_compared() -> None:
    frames, masks = np.zeros((3, 4, 5, 3), np.float32), np.zeros((3, 4, 5), bool)
    with pytest.raises(ValueError, match="frames differ in shape"):
        agree(frames, masks, frames[:2], masks[:2])
    with pytest.raises(ValueError, match="masks differ in shape"):
        agree(frames, masks, frames, masks[:2])
    with pytest.raises(ValueError, match="not of 3 and 2"):
        agree(frames, masks[:2], frames, masks[:2])
    with pytest.raises(ValueError, match="not of 0 and 0"):
        agree(frames[:0], masks[:0], frames[:0], masks[:0])
    with pytest.raises(ValueError, match="at least one clip"):
        corpus_score([])
    nothing = Agreement(np.zeros(2), np.zeros(2), 0.0, 0.0)
    with pytest.raises(ValueError, match="spatiotemporal_iou of 0"):
        clip_score(judged(nothing, nothing))
