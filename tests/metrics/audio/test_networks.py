# SPDX-License-Identifier: Apache-2.0
"""Sound through CLAP: with tiny weights, and by files of features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fvhydra.media import video
from fvhydra.media.audio import read_audio, write_wav
from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.audio.clap_score import ClapScore
from fvhydra.metrics.audio.frechet_distance import ClapFrechetDistance, FrechetDistance
from fvhydra.metrics.base import Metric, SampleVideos, Score, Skip
from fvhydra.metrics.functional.audio.windows import normalise_peak
from fvhydra.metrics.functional.frechet import FeatureSet, frechet_distance
from fvhydra.metrics.models import clap
from fvhydra.metrics.sample import Sample
from tests.metrics.running import skips
from tests.similarity.conftest import textured


def made(kind: type[Metric], assets: HubAssets, **params: str) -> Any:
    metric = kind(kind.spec.params(**params), assets)
    metric.setup()
    return metric


def show(metric: Metric, role: str = "generated", **keys: Any) -> Score:
    sample = Sample("a", keys, role)
    assert metric.check(sample) is None
    return metric.begin(sample, SampleVideos({})).result()


def tone(hertz: float, seconds: float = 1.0, rate: int = 48_000, channels: int = 1) -> NDArray[np.float32]:
    times = np.arange(int(seconds * rate)) / rate
    return np.stack([0.3 * np.sin(2 * np.pi * hertz * (index + 1) * times) for index in range(channels)]).astype("f4")


@pytest.fixture
def bell(tmp_path: Path) -> Path:
    path = tmp_path / "bell.wav"
    noise = np.random.default_rng(0).normal(0, 0.05, (2, 24_000))  # without it most bands hold nothing but rounding
    write_wav(path, tone(700, channels=2, rate=24_000) + noise.astype(np.float32), 24_000)
    return path


def test_clap_score_step_by_step(assets: HubAssets, bell: Path) -> None:
    """Whole file, mean of the channels, 48 kHz, peak at -1 dBFS, cosine."""
    metric = made(ClapScore, assets)
    model = clap.load_clap(assets.path(metric.spec, "clap"), "cpu")
    samples = read_audio(bell).mono(48_000)
    assert len(samples) == 48_000
    loud = samples / np.abs(samples).max() * 10 ** (-1 / 20)
    sound, text = clap.audio_embedding(model, loud.astype(np.float32)), clap.text_embedding(model, "a bell rings")
    expected = float(sound @ text / (np.linalg.norm(sound) * np.linalg.norm(text)))
    assert show(metric, audio=bell, text_prompt="a bell rings").value == pytest.approx(expected, abs=1e-5)
    assert normalise_peak(samples) == pytest.approx(loud)


def test_clap_score_depends_on_the_text_and_not_on_the_volume(assets: HubAssets, bell: Path, tmp_path: Path) -> None:
    metric = made(ClapScore, assets)
    write_wav(tmp_path / "quiet.wav", 0.1 * read_audio(bell).samples, 24_000)
    score = show(metric, audio=bell, text_prompt="a bell rings").value
    assert show(metric, audio=tmp_path / "quiet.wav", text_prompt="a bell rings").value == pytest.approx(
        score, abs=0.005
    )
    assert show(metric, audio=bell, text_prompt="dogs").value != pytest.approx(score, abs=0.02)


def test_the_sound_of_a_clip(assets: HubAssets, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    video.encode(path, textured(24, 32, 48), 24, tone(700), 48_000)
    wav = tmp_path / "clip.wav"
    write_wav(wav, tone(700), 48_000)
    metric = made(ClapScore, assets)
    found, expected = (show(metric, audio=each, text_prompt="a bell").value for each in (path, wav))
    assert found == pytest.approx(expected, abs=0.02)  # AAC


@pytest.mark.parametrize("kind", [ClapScore, ClapFrechetDistance])
def test_what_has_no_sound_skips(assets: HubAssets, tmp_path: Path, kind: type[Metric]) -> None:
    metric = made(kind, assets)
    video.encode(tmp_path / "mute.mp4", textured(3, 32, 48), 24)
    write_wav(tmp_path / "silence.wav", np.zeros((1, 4800), np.float32), 48_000)
    (tmp_path / "text.wav").write_text("no sound")
    for name, code, reason in (
        ("mute.mp4", "unreadable", "has no sound"),
        ("silence.wav", "nonfinite", "silence cannot be judged"),
        ("text.wav", "unreadable", "cannot be decoded as sound"),
        ("gone.wav", "unreadable", "There is no recording"),
    ):
        with skips(code, reason):
            show(metric, audio=tmp_path / name, text_prompt="a bell")


def test_clap_score_needs_a_text(assets: HubAssets, bell: Path) -> None:
    skip = made(ClapScore, assets).check(Sample("a", {"audio": bell}))
    assert skip == Skip("missing_input", "the sample has no text_prompt")


def test_distance_of_sounds(no_features: HubAssets, tmp_path: Path) -> None:
    metric, rows = made(ClapFrechetDistance, no_features), {"generated": [], "reference": []}
    model = clap.load_clap(no_features.path(metric.spec, "clap"), "cpu")
    state = metric.empty()
    for index in range(3):
        sounds = {"audio": tone(300 + 100 * index), "reference_audio": tone(900 - 70 * index)}
        for (key, samples), side in zip(sounds.items(), rows, strict=True):
            write_wav(tmp_path / f"{key}{index}.wav", samples, 48_000)
            loud = normalise_peak(read_audio(tmp_path / f"{key}{index}.wav").mono(48_000))
            rows[side].append(clap.audio_embedding(model, loud))
        state = metric.update(
            state, show(metric, **{key: tmp_path / f"{key}{index}.wav" for key in sounds}).contribution
        )
    sets = [FeatureSet(32), FeatureSet(32)]
    for features, found in zip(sets, rows.values(), strict=True):
        features.update(np.stack(found))
    score = metric.compute(state)
    assert score.value == pytest.approx(frechet_distance(*sets), rel=1e-9)
    assert score.value is not None and score.value > 0
    assert score.outputs["extractor"] == "clap"


def test_sounds_are_embedded_once(no_features: HubAssets, bell: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = show(made(ClapFrechetDistance, no_features), audio=bell).contribution["generated"]
    metric = made(ClapFrechetDistance, no_features)
    monkeypatch.setattr(metric, "_clap", None)
    assert np.array_equal(show(metric, role="reference", audio=bell).contribution["reference"], first)


def test_given_features(tmp_path: Path) -> None:
    metric = made(FrechetDistance, HubAssets("cpu", tmp_path), extractor="given")
    rng = np.random.default_rng(0)
    one, three = rng.normal(size=4), rng.normal(size=(3, 4)).astype(np.float32)
    np.save(tmp_path / "one.npy", one)
    np.save(tmp_path / "three.npy", three)
    found = show(metric, audio_features=tmp_path / "one.npy", reference_audio_features=tmp_path / "three.npy")
    assert (found.contribution["generated"].tolist(), found.contribution["reference"].tolist()) == (
        [one.tolist()],
        three.tolist(),
    )
    reference = show(metric, role="reference", audio_features=tmp_path / "three.npy")
    assert set(reference.contribution) == {"reference"}
    skip = metric.check(Sample("a", {"audio": tmp_path / "a.wav"}))
    assert skip == Skip("missing_input", "the sample has no audio_features and no reference_audio_features")


def test_given_files_that_hold_no_features(tmp_path: Path) -> None:
    metric = made(FrechetDistance, HubAssets("cpu", tmp_path), extractor="given")
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    np.save(tmp_path / "pickled.npy", np.array([{}], object))
    np.save(tmp_path / "cube.npy", np.zeros((2, 2, 2)))
    (tmp_path / "text.npy").write_text("no array")
    codes = {"words": "shape", "pickled": "unreadable", "cube": "shape", "text": "unreadable", "gone": "unreadable"}
    for name, code in codes.items():
        with skips(code, f"{name}.npy"):
            show(metric, audio_features=tmp_path / f"{name}.npy")


def test_weights_that_are_not_loaded_decide_nothing(no_features: HubAssets) -> None:
    """Or what another metric has loaded would make other scores of the same."""
    from fvhydra.evaluation.metric_setup import load_metric

    kind = FrechetDistance.spec.params
    before = load_metric(FrechetDistance(kind(extractor="given"), no_features)).digest
    of_passt = load_metric(FrechetDistance(kind(), no_features)).digest
    assert load_metric(FrechetDistance(kind(extractor="given"), no_features)).digest == before != of_passt
