# SPDX-License-Identifier: Apache-2.0
"""Likeness of sound and picture, with tiny weights, step by step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.io import wavfile

from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.audio.imagebind_score import ImageBindScore
from fvhydra.metrics.base import Chunk, SampleVideos, Score, Track
from fvhydra.metrics.models import imagebind
from fvhydra.metrics.models.sound import resample
from fvhydra.metrics.sample import Sample
from tests.metrics.audio.test_networks import made
from tests.metrics.running import skips
from tests.similarity.conftest import textured

FPS = 10


def show(
    metric: ImageBindScore, video: NDArray[np.uint8], audio: Path, promised: int | None = None, length: int = 7
) -> Score:
    track = Track(*video.shape[1:3], FPS, promised)
    reading = metric.begin(Sample("a", {"video": Path("a.mp4"), "audio": audio}), SampleVideos({"video": track}))
    for start in range(0, len(video), length):
        reading.update(Chunk(start, {"video": video[start : start + length]}))
    return reading.result()


def sound(path: Path, seconds: float, rate: int = 24_000) -> NDArray[np.float32]:
    noise = np.random.default_rng(0).normal(0, 0.1, (round(seconds * rate), 2)).astype(np.float32)
    wavfile.write(path, rate, noise)
    return noise


@pytest.mark.parametrize("promised", [None, 50])
def test_step_by_step(assets: HubAssets, tmp_path: Path, promised: int | None) -> None:
    metric, video = made(ImageBindScore, assets), textured(50, 60, 90)
    noise = sound(tmp_path / "a.wav", 5)
    network = imagebind.load_imagebind(assets.path(metric.spec, "imagebind"), "cpu")
    frames = imagebind.preprocess(video)
    assert frames.shape[2:] == (224, 336)
    views = [
        torch.stack([frames[first], frames[last]], 1)[..., left : left + 224]
        for first, last in ((0, 19), (6, 25), (12, 31), (18, 37), (24, 43))
        for left in (0, 56, 112)
    ]
    samples = resample(torch.from_numpy(noise[:, 0].copy()), 24_000, 16_000)
    clips = torch.stack([samples[second * 16_000 : (second + 2) * 16_000] for second in (0, 1, 2)])
    with torch.inference_mode():
        seen = network.seen(torch.stack(views)).mean(0)
        heard = network.heard(imagebind.spectrograms(clips)[:, None]).mean(0)
    expected = F.cosine_similarity(seen, heard, dim=0).item()
    assert show(metric, video, tmp_path / "a.wav", promised).value == pytest.approx(expected, abs=1e-6)


def test_short_clips_have_a_value(assets: HubAssets, tmp_path: Path) -> None:
    sound(tmp_path / "a.wav", 0.5)
    found = show(made(ImageBindScore, assets), textured(1, 60, 90), tmp_path / "a.wav")
    assert found.value is not None and abs(found.value) <= 1


def test_what_has_no_value(assets: HubAssets, tmp_path: Path) -> None:
    metric, video = made(ImageBindScore, assets), textured(50, 60, 90)
    noise = sound(tmp_path / "good.wav", 5)
    sound(tmp_path / "short.wav", 0.02)
    wavfile.write(tmp_path / "half.wav", 24_000, noise * [0, 1])
    wavfile.write(tmp_path / "nan.wav", 24_000, noise * np.float32("nan"))
    for name, code, reason in (
        ("short", "too_short", "short.wav has 0.020 s; 0.025 s are needed"),
        ("half", "nonfinite", "silence in the first channel"),
        ("nan", "nonfinite", "no finite numbers"),
        ("gone", "unreadable", "There is no"),
    ):
        with skips(code, reason):
            show(metric, video, tmp_path / f"{name}.wav")
    with skips("unreadable", "promises 70 frames, and there are 50"):
        show(metric, video, tmp_path / "good.wav", promised=70)
    with skips("too_short", "no frames"):
        show(metric, video[:0], tmp_path / "good.wav")
