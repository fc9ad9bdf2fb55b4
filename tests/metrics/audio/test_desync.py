# SPDX-License-Identifier: Apache-2.0
"""Sound against picture: recorded input and offsets, and the real network with tiny weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.io import wavfile

from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.audio.desync import AudioDesync
from fvhydra.metrics.base import Chunk, SampleVideos, Score, Track
from fvhydra.metrics.functional.audio.desync import SEGMENTS, frame_at
from fvhydra.metrics.models.synchformer.pictures import preprocess
from fvhydra.metrics.models.synchformer.sounds import mel_spectrograms
from fvhydra.metrics.sample import Sample
from tests.metrics.audio.test_networks import made
from tests.metrics.golden import load, recipes
from tests.metrics.golden.captured import assert_captured
from tests.metrics.running import skips
from tests.similarity.conftest import textured

GOLDEN = load("desync")


@pytest.mark.parametrize("name", GOLDEN["transform"])
def test_recorded_pictures(name: str) -> None:
    case = GOLDEN["transform"][name]
    assert_captured(preprocess(recipes.clip(recipes.build(case["video"])), "peer"), case["captured"])


def test_the_benchmarks_pictures_are_of_whole_values() -> None:
    found = preprocess(textured(2, 90, 150), "upstream")
    assert found.shape == (2, 3, 224, 224)
    levels = (found * 0.5 + 0.5) * 255
    assert torch.allclose(levels, levels.round(), atol=1e-3)
    assert found.min() >= -1 and found.max() <= 1


def test_recorded_spectrograms() -> None:
    case = GOLDEN["audio_features"]
    samples = torch.from_numpy(recipes.build(case["audio"]))
    found = mel_spectrograms(samples.unfold(0, 10_240, 5_120), None)
    assert [1, *found.shape[:1], 1, *found.shape[1:]] == case["shape_B_S_1_F_T"]
    assert [float(found.mean()), float(found.std(correction=0))] == pytest.approx([case["mean"], case["std"]], abs=1e-4)
    assert found[0].mean(1)[:8].tolist() == pytest.approx(case["seg0_bin_means_first8"], abs=1e-4)
    assert found[0].mean(0)[-3:].tolist() == pytest.approx(case["seg0_frame_means_last3"], abs=1e-4)
    assert found[-14:][13].mean(0)[:3].tolist() == pytest.approx(case["seg13_frame_means_first3"], abs=1e-4)


class Recorded:
    """What stood for the network when the offset was recorded: it answers 10, then 13."""

    def __init__(self) -> None:
        self.answers = iter((10, 13))
        self.shown: list[list[list[int]]] = []

    def seen(self, segments: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(segments), 8, 4)

    def heard(self, segments: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(segments), 6, 4)

    def __call__(self, pictures: torch.Tensor, sounds: torch.Tensor) -> torch.Tensor:
        self.shown.append([list(pictures.shape), list(sounds.shape)])
        return torch.nn.functional.one_hot(torch.tensor([next(self.answers)]), 21).double()


def sound(path: Path, seconds: float, rate: int = 16_000) -> Path:
    noise = np.random.default_rng(0).normal(0, 0.1, round(seconds * rate))
    wavfile.write(path, rate, noise.astype(np.float32))
    return path


def chunks(video: NDArray[np.uint8], length: int) -> Iterator[Chunk]:
    for start in range(0, len(video), length):
        yield Chunk(start, {"video": video[start : start + length]})


def show(metric: AudioDesync, video: NDArray[np.uint8], audio: Path, fps: float, length: int = 50) -> Score:
    sample = Sample("a", {"video": Path("a.mp4"), "audio": audio})
    assert metric.check(sample) is None
    track = Track(*video.shape[1:3], fps, len(video))
    reading = metric.begin(sample, SampleVideos({"video": track}))
    for chunk in chunks(video, length):
        if reading.update(chunk):
            break
    return reading.result()


@pytest.mark.parametrize("parity", ["peer", "upstream"])
def test_recorded_offset(assets: HubAssets, tmp_path: Path, parity: str) -> None:
    metric = made(AudioDesync, assets, parity=parity)
    metric.network = network = Recorded()
    found = show(metric, textured(150, 32, 48), sound(tmp_path / "a.wav", 6), 25)
    expected = GOLDEN["end_to_end_want_10_13"]
    assert found.value == pytest.approx(expected["score"], abs=1e-6)
    assert found.outputs == pytest.approx(
        {name: expected["details"][name] for name in ("front_desync_s", "back_desync_s")}, abs=1e-6
    )
    assert network.shown == GOLDEN["compare_shapes"]


class Watching(Recorded):
    """Remembers by their brightness which frames it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[list[int]] = []

    def seen(self, segments: torch.Tensor) -> torch.Tensor:
        self.frames += (segments.mean((2, 3, 4)) * 127.5 + 127.5).round().int().tolist()
        return super().seen(segments)


def numbered(count: int) -> NDArray[np.uint8]:
    """Frames as bright as their number."""
    return np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 16, 16, 3)).copy()


@pytest.mark.parametrize("parity", ["peer", "upstream"])
@pytest.mark.parametrize("fps", [12.5, 25.0, 30.0])
@pytest.mark.parametrize("length", [1, 50])
def test_which_frames_are_shown(assets: HubAssets, tmp_path: Path, parity: Any, fps: float, length: int) -> None:
    metric = made(AudioDesync, assets, parity=parity)
    metric.network = network = Watching()
    video = numbered(round(7.9 * fps))
    show(metric, video, sound(tmp_path / "a.wav", 8.1), fps, length)
    count = round(len(video) / fps * 25)
    segments = (count - 16) // 8 + 1
    expected = [
        [min(frame_at(8 * segment + place, fps, parity), len(video) - 1) for place in range(16)]
        for segment in range(segments)
        if segment < SEGMENTS or segment >= segments - SEGMENTS
    ]
    assert network.frames == expected


def test_the_benchmark_ends_both_where_the_shorter_ends(assets: HubAssets, tmp_path: Path) -> None:
    shown = {}
    for seconds in (5.2, 20):
        metric = made(AudioDesync, assets)
        metric.network = network = Watching()
        show(metric, numbered(250), sound(tmp_path / "a.wav", seconds), 25)
        shown[seconds] = network.frames[-1][-1]
    assert shown == {5.2: 127, 20: 199}


def test_frames_follow_the_given_rate(assets: HubAssets, tmp_path: Path) -> None:
    metric = made(AudioDesync, assets, src_fps=12.5)
    metric.network = network = Watching()
    show(metric, numbered(75), sound(tmp_path / "a.wav", 6), 25)
    assert network.frames[0][:4] == [0, 0, 1, 1]


def test_chunks_do_not_change_the_offset(assets: HubAssets, tmp_path: Path) -> None:
    metric, video = made(AudioDesync, assets), textured(50, 40, 60)
    audio = sound(tmp_path / "a.wav", 5, 24_000)
    assert show(metric, video, audio, 10, 7) == show(metric, video, audio, 10)


@pytest.mark.parametrize("parity", ["peer", "upstream"])
def test_what_is_too_short_or_silent_has_no_value(assets: HubAssets, tmp_path: Path, parity: str) -> None:
    metric = made(AudioDesync, assets, parity=parity)
    video = textured(50, 32, 48)
    wavfile.write(tmp_path / "silent.wav", 16_000, np.zeros(96_000, np.float32))
    for clip, audio, code, reason in (
        (video, sound(tmp_path / "short.wav", 4), "too_short", "4.00 s of sound and picture; 4.80 s are needed"),
        (video[:40], sound(tmp_path / "long.wav", 6), "too_short", "4.00 s of sound and picture"),
        (video, tmp_path / "silent.wav", "nonfinite", "silence"),
        (video, tmp_path / "gone.wav", "unreadable", "There is no"),
    ):
        with skips(code, reason):
            show(metric, clip, audio, 10)
    with skips("missing_input", "src_fps"):
        show(metric, video, sound(tmp_path / "long.wav", 6), 0)
