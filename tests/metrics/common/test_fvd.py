# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.base import SampleVideos, Score, Track
from fvhydra.metrics.common.fvd import Fvd
from fvhydra.metrics.models import videos
from fvhydra.metrics.models.images import to_tensor
from fvhydra.metrics.models.videos import VideoEncoder
from fvhydra.metrics.sample import Sample
from tests.metrics.golden import load, recipes
from tests.metrics.running import chunks, skips
from tests.similarity.conftest import textured

RECORDED = load("frechet")["accumulate_stub"]

Video = NDArray[np.uint8]


def made(assets: HubAssets, **params: Any) -> Fvd:
    metric = Fvd(Fvd.spec.params(**params), assets)
    metric.setup()
    return metric


@pytest.fixture
def show(tmp_path: Path) -> Callable[..., Score]:
    """Shows a sample to a metric; its files hold what makes the clips distinct."""
    numbers = itertools.count()

    def run(metric: Fvd, role: str = "generated", chunk: int = 5, **videos: Video) -> Score:
        keys = {}
        for key, video in videos.items():
            keys[key] = tmp_path / f"{next(numbers)}.raw"
            keys[key].write_bytes(video.tobytes())
        sample = Sample("a", keys, role)
        assert metric.check(sample) is None
        tracks = {key: Track(*video.shape[1:3], 24, None) for key, video in videos.items()}
        reading = metric.begin(sample, SampleVideos(tracks))
        for part in chunks(videos, chunk):
            reading.update(part)
        return reading.result()

    return run


def noise(seed: int) -> Video:
    return recipes.clip(recipes.noise(seed, 2, 4, 4))


GENERATED = [noise(seed) for seed in range(100, 106)]
REFERENCE = [noise(seed) for seed in range(200, 208)]


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fvd:
    """With what stood for the network when the values were recorded: the mean of each colour."""
    encoder = VideoEncoder(to_tensor, lambda clip: clip.double().mean((0, 2, 3)).float().numpy())
    monkeypatch.setattr(videos, "i3d", lambda path, device, networks: encoder)
    return made(HubAssets("cpu", tmp_path / "cache", tiny=True), parity="peer")


def compute(metric: Fvd, scores: list[Score]) -> Score:
    state = metric.empty()
    for score in scores:
        state = metric.update(state, score.contribution)
    return metric.compute(state)


def test_recorded_sets(recorded: Fvd, show: Callable[..., Score]) -> None:
    generated = [show(recorded, video=clip) for clip in GENERATED]
    reference = [show(recorded, role="reference", video=clip) for clip in REFERENCE]
    found, expected = compute(recorded, generated + reference), RECORDED["gen6_ref8"]
    assert found.value == pytest.approx(expected["score"], rel=1e-4)
    assert (found.outputs["n_generated"], found.outputs["n_reference"]) == (6, 8)


def test_recorded_pairs(recorded: Fvd, show: Callable[..., Score]) -> None:
    scores = [show(recorded, video=clip, reference=other) for clip, other in zip(GENERATED, REFERENCE, strict=False)]
    assert compute(recorded, scores).value == pytest.approx(RECORDED["paired6"]["score"], rel=1e-4)


def test_recorded_absences(recorded: Fvd, show: Callable[..., Score]) -> None:
    generated = [show(recorded, video=clip) for clip in GENERATED]
    reference = [show(recorded, role="reference", video=clip) for clip in REFERENCE]
    for scores in (generated, reference, [*generated[:1], *reference]):
        with skips("missing_input", "two samples or more on each side"):
            compute(recorded, scores)


def test_a_reference_feeds_only_its_side(assets: HubAssets, show: Callable[..., Score]) -> None:
    metric, clip = made(assets), textured(16, 40, 60)
    assert set(show(metric, role="reference", video=clip, reference=clip).contribution) == {"reference"}
    assert set(show(metric, video=clip).contribution) == {"generated"}
    pair = show(metric, video=clip, reference=clip).contribution
    assert np.array_equal(pair["generated"], pair["reference"])


EXTRACTORS = {"i3d": 400, "clip": 512, "videomae": 32}


@pytest.mark.parametrize("extractor", EXTRACTORS)
@pytest.mark.parametrize("chunk", [3, 40])
def test_features_of_the_first_frames(
    no_features: HubAssets, show: Callable[..., Score], extractor: str, chunk: int
) -> None:
    metric, clip = made(no_features, extractor=extractor), textured(20, 40, 60)
    found = show(metric, chunk=chunk, video=clip).contribution["generated"]
    assert found.shape == (1, EXTRACTORS[extractor])
    assert found[0] == pytest.approx(metric.encoder.encode(metric.encoder.preprocess(clip[:16])), abs=1e-5)


@pytest.mark.parametrize("chunk", [1, 4, 7, 40])
def test_frames_are_taken_by_the_stride(no_features: HubAssets, show: Callable[..., Score], chunk: int) -> None:
    metric, clip = made(no_features, frames=10, stride=3), textured(30, 40, 60)
    found = show(metric, chunk=chunk, video=clip).contribution["generated"][0]
    assert found == pytest.approx(metric.encoder.encode(metric.encoder.preprocess(clip[:30:3])), abs=1e-5)


def test_peer_takes_every_frame(no_features: HubAssets, show: Callable[..., Score]) -> None:
    metric, clip = made(no_features, parity="peer"), textured(20, 40, 60)
    found = show(metric, video=clip).contribution["generated"][0]
    assert found == pytest.approx(metric.encoder.encode(metric.encoder.preprocess(clip)), abs=1e-5)
    assert metric.facts() == {"extractor": "i3d", "frames": "all"}


@pytest.mark.parametrize(
    ("params", "frames", "code", "reason"),
    [
        ({}, 15, "too_short", "video has fewer than the 16 frames that are needed"),
        ({"frames": 10, "stride": 3}, 27, "too_short", "fewer than the 28 frames"),
        ({"parity": "peer"}, 9, "shape", "i3d takes 10 frames or more, and video has 9"),
        ({"parity": "peer", "extractor": "videomae"}, 20, "shape", "videomae takes 16 frames, and video has 20"),
        ({"frames": 8}, 20, "shape", "i3d takes 10 frames or more, and metrics.use.common.fvd.frames is 8"),
        ({"frames": 20, "extractor": "videomae"}, 20, "shape", "videomae takes 16 frames, and metrics.use"),
    ],
)
def test_lengths_that_do_not_do(
    no_features: HubAssets, show: Callable[..., Score], params: dict[str, Any], frames: int, code: str, reason: str
) -> None:
    with skips(code, reason):
        show(made(no_features, **params), video=textured(frames, 40, 60))


def test_features_are_kept(no_features: HubAssets, show: Callable[..., Score], monkeypatch: pytest.MonkeyPatch) -> None:
    clip = textured(16, 40, 60)
    first = show(made(no_features), video=clip).contribution["generated"]
    metric = made(no_features)
    monkeypatch.setattr(metric, "encoder", None)  # the network is not asked again, for either side
    assert np.array_equal(show(metric, video=clip).contribution["generated"], first)
    assert np.array_equal(show(metric, role="reference", video=clip).contribution["reference"], first)
    pair = show(metric, video=clip, reference=clip).contribution
    assert np.array_equal(pair["reference"], first)


@pytest.mark.parametrize("change", [{"frames": 12}, {"stride": 2}, {"extractor": "clip"}, {"parity": "peer"}])
def test_other_features_are_other_features(
    no_features: HubAssets, show: Callable[..., Score], change: Mapping[str, Any]
) -> None:
    clip = textured(32, 40, 60)
    first, second = (show(made(no_features, **params), video=clip) for params in ({}, change))
    assert not np.array_equal(first.contribution["generated"], second.contribution["generated"])
    assert len(list(no_features.cache_dir.rglob("*.npy"))) == 2


def test_no_more_frames_are_asked_for_than_are_looked_at(assets: HubAssets, tmp_path: Path) -> None:
    clip, path = textured(20, 40, 60), tmp_path / "a.raw"
    path.write_bytes(b"a")
    sample, tracks = Sample("a", {"video": path}), SampleVideos({"video": Track(40, 60, 24, 20)})
    fresh = HubAssets("cpu", tmp_path, tiny=True, networks=assets.networks)
    metric = made(fresh, frames=10)
    reading = metric.begin(sample, tracks)
    assert [reading.update(part) for part in chunks({"video": clip}, 4)] == [False, False, True, True, True]
    reading.result()
    assert metric.begin(sample, tracks).update(next(chunks({"video": clip}, 4)))  # its features are known
    everything = made(fresh, parity="peer").begin(sample, tracks)
    assert not any(everything.update(part) for part in chunks({"video": clip}, 4))


def test_damaged_features_are_computed_again(no_features: HubAssets, show: Callable[..., Score]) -> None:
    clip = textured(16, 40, 60)
    first = show(made(no_features), video=clip).contribution["generated"]
    (kept,) = no_features.cache_dir.rglob("*.npy")
    for damage in (b"", kept.read_bytes()[:-100]):
        kept.write_bytes(damage)
        assert np.array_equal(show(made(no_features), video=clip).contribution["generated"], first)


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_the_distance_sees_what_it_says(assets: HubAssets, show: Callable[..., Score], extractor: str) -> None:
    metric = made(assets, extractor=extractor)
    clips = [textured(16, 40, 60, seed) for seed in range(3)]
    reference = [show(metric, role="reference", video=clip) for clip in clips]
    same = [show(metric, video=clip) for clip in clips]
    darker = [show(metric, video=clip // 2) for clip in clips]
    assert compute(metric, same + reference).value == pytest.approx(0, abs=1e-9)
    assert compute(metric, darker + reference).value > 1e-3
