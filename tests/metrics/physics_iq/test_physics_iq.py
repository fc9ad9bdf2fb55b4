# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from fvhydra.config.schema import conf_dir
from fvhydra.core.scores import ScoreRow
from fvhydra.metrics.base import SampleVideos as Reel
from fvhydra.metrics.base import Score, Track
from fvhydra.metrics.functional.physics_iq import motion
from fvhydra.metrics.functional.physics_iq.agreement import agree, shrink_frames, shrink_masks, working_size
from fvhydra.metrics.functional.physics_iq.score import Means
from fvhydra.metrics.physics_iq.takes import LEADERBOARD
from fvhydra.metrics.sample import Sample
from tests.metrics.golden import load, recipes
from tests.metrics.running import make, run, score, skips

GOLDEN = load("physics_iq")
CASES = {case["name"]: case for case in GOLDEN["cases"]}
SETTINGS = {"seconds": float(GOLDEN["settings"]["duration_seconds"])}
FPS = GOLDEN["settings"]["target_fps"]
MEASURES = ("mse", "spatial_iou", "spatiotemporal_iou", "weighted_spatial_iou")
SampleVideos = NDArray[np.uint8]

TAKES = {
    key: recipes.clip(recipes.checked(GOLDEN[f"reference_{take}"], GOLDEN["sha"][take]))
    for key, take in (("reference", "take1"), ("reference_take2", "take2"))
}


def generated(name: str) -> SampleVideos:
    return recipes.clip(recipes.checked(CASES[name]["generated"], CASES[name]["sha"]))


def all_of(video: SampleVideos, chunk: int = 5, **params: Any) -> dict[str, Score]:
    metrics = [make(f"physics_iq.{name}", **SETTINGS | params) for name in (*MEASURES, "score")]
    found = run(metrics, {"scenario": "s", "view": "left"}, fps=FPS, chunk=chunk, video=video, **TAKES)
    return dict(zip((*MEASURES, "score"), found, strict=True))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_recorded(name: str, chunk: int) -> None:
    details, found = CASES[name]["details"], all_of(generated(name), chunk)
    for measure in ("mse", "spatiotemporal_iou"):
        assert found[measure].value == pytest.approx(details[f"{measure}_mean"], abs=1e-9)
        assert found[measure].series["per_frame"] == pytest.approx(details[f"{measure}_per_frame"], abs=1e-9)
        assert found["score"].outputs[f"variance_{measure}"] == pytest.approx(details[f"pv_{measure}_mean"], abs=1e-9)
    for measure in ("spatial_iou", "weighted_spatial_iou"):
        assert found[measure].value == pytest.approx(details[measure], abs=1e-6)
        assert found["score"].outputs[f"variance_{measure}"] == pytest.approx(details[f"pv_{measure}"], abs=1e-6)
    assert found["score"].value == CASES[name]["per_video_score"]
    assert (found["score"].outputs["scenario"], found["score"].outputs["view"]) == ("s", "left")
    assert {each.frames for each in found.values()} == {FPS * 4}


@pytest.mark.parametrize("name", CASES)
def test_recorded_through_the_codec(name: str) -> None:
    """FastVideo codes the masks of the judged side alone."""
    peer = {"parity": "peer", "seconds": SETTINGS["seconds"] * FPS / 30}
    expected, found = CASES[name]["with_mp4v_roundtrip"], all_of(generated(name), coded_masks=True, **peer)
    assert found["spatial_iou"].value == pytest.approx(expected["spatial_iou"], abs=1e-4)
    assert found["weighted_spatial_iou"].value == pytest.approx(expected["weighted_spatial_iou"], abs=1e-4)
    assert found["spatiotemporal_iou"].value == pytest.approx(expected["spatiotemporal_iou_mean"], abs=1e-4)
    assert found["mse"].value == pytest.approx(expected["mse_mean"], abs=1e-9)
    assert found["score"].value == pytest.approx(CASES[name]["per_video_score_roundtrip"], abs=0.005)


def row(sample: str, found: Score) -> ScoreRow:
    return ScoreRow(sample, "physics_iq.score", 1, "", "", "ok", found.value, outputs=found.outputs)


@pytest.mark.parametrize(
    ("group", "names"), [("all_four", list(CASES)), ("good_and_wrong", ["good", "wrong_direction"])]
)
def test_recorded_corpus(group: str, names: list[str]) -> None:
    metric = make("physics_iq.score", parity="peer")
    rows = [row(name, all_of(generated(name))["score"]) for name in names]
    assert metric.corpus(rows).value == GOLDEN["aggregate"][group]["physics_iq"]


def test_views_are_averaged_before_scenarios() -> None:
    means = dict.fromkeys(("spatiotemporal_iou", "spatial_iou", "weighted_spatial_iou"))
    variance = {"variance_mse": 0.0} | {f"variance_{name}": 1.0 for name in means}

    def clip(sample: str, iou: float, scenario: str | None) -> ScoreRow:
        outputs = {"mse": 0.0, **dict.fromkeys(means, iou), **variance, "frames": 10, "scenario": scenario}
        return row(sample, Score(0.0, outputs))

    rows = [clip(str(index), 0.6, "thrice") for index in range(3)] + [clip("3", 0.2, None)]
    assert make("physics_iq.score").corpus(rows).value == 40
    assert make("physics_iq.score", parity="peer").corpus(rows).value == 50


def test_masks_are_made_once_a_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    real = motion.MotionMasks.__call__
    monkeypatch.setattr(motion.MotionMasks, "__call__", lambda self, frame: (made.append(1), real(self, frame))[1])
    all_of(generated("good"))
    assert len(made) == 3 * FPS * 4  # of the clip and both takes
    made.clear()
    metrics = [make("physics_iq.mse", **SETTINGS), make("physics_iq.spatial_iou", **SETTINGS, threshold=20)]
    run(metrics, fps=FPS, video=generated("good"), reference=TAKES["reference"])
    assert len(made) == 2 * 2 * FPS * 4  # other parameters, other masks


def test_given_masks_take_the_place_of_computed_ones() -> None:
    video = generated("wrong_direction")
    moved = motion.motion_masks(TAKES["reference"])
    mask = np.stack([cv2.cvtColor(each, cv2.COLOR_GRAY2RGB) for each in moved])
    metric = make("physics_iq.spatiotemporal_iou", **SETTINGS)
    found = score(metric, fps=FPS, video=video, reference=TAKES["reference"], video_mask=mask)
    assert found.value == 1
    with skips("shape", "video_mask"):
        score(metric, fps=FPS, video=video, reference=TAKES["reference"], video_mask=mask[:20])


def test_seconds_are_those_of_each_clip() -> None:
    video, metric = generated("good"), make("physics_iq.mse", seconds=1.0)
    longer = np.concatenate([video, video[:9]])
    assert score(metric, fps=6, video=longer, reference=TAKES["reference"]).frames == 6
    with skips("shape", "video 24 and reference 20"):
        score(make("physics_iq.mse", **SETTINGS), fps=FPS, video=video, reference=TAKES["reference"][:20])


def test_peer_counts_thirty_frames_a_second() -> None:
    pair = {"video": generated("good"), "reference": TAKES["reference"]}
    assert score(make("physics_iq.mse", seconds=0.5, parity="peer"), fps=6, **pair).frames == 15


def test_sizes_may_differ() -> None:
    small = np.stack([cv2.resize(frame, (64, 48)) for frame in TAKES["reference"]])
    found = score(make("physics_iq.spatial_iou", **SETTINGS), fps=FPS, video=small, reference=TAKES["reference"])
    assert 0.5 < (found.value or 0) < 1


def test_a_clip_whose_takes_share_nothing_counts_although_it_has_no_value() -> None:
    """The benchmark averages first: leaving the clip out gives another score."""
    still = np.repeat(TAKES["reference"][:1], 24, axis=0)
    videos = {"video": generated("static"), "reference": TAKES["reference"], "reference_take2": still}
    metric = make("physics_iq.score", **SETTINGS)
    apart = score(metric, fps=FPS, **videos)
    assert apart.value is None and "divided" in apart.undefined
    other = all_of(generated("wrong_direction"))["score"]
    both = metric.corpus([row("a", apart), row("b", other)]).value
    means = [(apart.outputs[name] + other.outputs[name]) / 2 for name in MEASURES]
    variances = [(apart.outputs[f"variance_{name}"] + other.outputs[f"variance_{name}"]) / 2 for name in MEASURES]
    ratios = [mean / variance for mean, variance in zip(means[1:], variances[1:], strict=True)]
    assert both == pytest.approx(100 * (sum(ratios) / 3 - (means[0] - variances[0])), abs=0.02)
    assert both != pytest.approx(metric.corpus([row("b", other)]).value, abs=1)
    with skips("nonfinite", "divided"):
        metric.corpus([row("a", apart)])


def test_the_leaderboards_masks_are_all_coded() -> None:
    """In the comparison and in the variance, so that what equals the recording still is ideal."""
    equal = all_of(TAKES["reference"], coded_masks=True)
    assert [equal[name].value for name in MEASURES] == [0, 1, 1, 1]
    found = all_of(generated("good"), coded_masks=True)["score"].outputs
    clips = {"video": generated("good")[: FPS * 4], **{key: take[: FPS * 4] for key, take in TAKES.items()}}
    size = working_size(*clips["reference"].shape[1:3])
    masks = {
        key: shrink_masks(motion.through_mp4(motion.motion_masks(video), FPS), size) for key, video in clips.items()
    }
    frames = {key: shrink_frames(video, size) for key, video in clips.items()}
    for prefix, keys in (("", ("video", "reference")), ("variance_", ("reference", "reference_take2"))):
        means = Means.of(agree(frames[keys[0]], masks[keys[0]], frames[keys[1]], masks[keys[1]]))
        assert [found[f"{prefix}{name}"] for name in MEASURES] == [getattr(means, name) for name in MEASURES]


def test_given_masks_are_coded_already() -> None:
    moved = motion.motion_masks(TAKES["reference"])
    mask = np.stack([cv2.cvtColor(each, cv2.COLOR_GRAY2RGB) for each in moved])
    videos = {"video": generated("good"), "reference": TAKES["reference"], "video_mask": mask, "reference_mask": mask}
    metric = make("physics_iq.weighted_spatial_iou", **SETTINGS, coded_masks=True)
    assert score(metric, fps=FPS, **videos).value == 1
    del videos["reference_mask"]  # which is computed now, and coded
    assert 0.8 < (score(metric, fps=FPS, **videos).value or 0) < 1


@pytest.mark.parametrize("name", [*MEASURES, "score"])
def test_the_leaderboard_is_claimed_only_with_its_settings(name: str) -> None:
    assert make(f"physics_iq.{name}", coded_masks=True).comparable_to == (LEADERBOARD,)
    for params in ({}, {"parity": "peer"}, {"seconds": 4.0}, {"threshold": 11}, {"alpha": 0.5}):
        wanted = {"coded_masks": True} if params else {}
        assert make(f"physics_iq.{name}", **wanted, **params).comparable_to == ()  # type: ignore[arg-type]


def test_rates_must_be_equal() -> None:
    reel = Reel({"video": Track(48, 64, 24, 24), "reference": Track(48, 64, 30, 30)})
    for name in (*MEASURES, "score"):
        with skips("shape", "video 24 and reference 30"):
            make(f"physics_iq.{name}").begin(Sample("a", {}), reel)


def test_the_word_leads_to_all_five() -> None:
    """FastVideo's ``physics_iq`` leads to four, and the score itself cannot be asked for."""
    chosen = yaml.safe_load((conf_dir() / "metrics" / "physics_iq.yaml").read_text(encoding="utf-8"))["use"]
    found = {f"physics_iq.{name}" for name in chosen["physics_iq"]}
    assert found == {*load("resolver_behaviour")["physics_iq_resolves_to"], "physics_iq.score"}
