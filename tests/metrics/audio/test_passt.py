# SPDX-License-Identifier: Apache-2.0
"""The metrics of PaSST: recorded scores with what stood for the network, and the real network with tiny weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.io import wavfile

from fvhydra.core.scores import ScoreRow
from fvhydra.media.audio import read_audio
from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.audio.frechet_distance import FrechetDistance
from fvhydra.metrics.audio.kl_divergence import KlDivergence
from fvhydra.metrics.base import Score, SetMetric, Skip
from fvhydra.metrics.functional.audio.divergence import kl_softmax
from fvhydra.metrics.models import passt
from fvhydra.metrics.models.sound import resample
from fvhydra.metrics.sample import Sample
from tests.metrics.audio.test_networks import made, show
from tests.metrics.functional.audio.test_divergence import passt_stub
from tests.metrics.golden import load, recipes
from tests.metrics.running import skips

GOLDEN = load("kl_fad")
SOUNDS = {case["name"]: case["audio"] for case in GOLDEN["windows"]}


@pytest.fixture
def sounds(tmp_path: Path) -> dict[str, Path]:
    """The recorded sounds as files, and one that is silent."""
    for name, recipe in SOUNDS.items():
        wavfile.write(tmp_path / f"{name}.wav", recipe["sr"], recipes.build(recipe))
    wavfile.write(tmp_path / "silent.wav", 32_000, np.zeros(160_000, np.float32))
    return {name: tmp_path / f"{name}.wav" for name in (*SOUNDS, "silent")}


@pytest.fixture
def recorded_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stood for PaSST when the scores were recorded; of other outputs where both are asked for."""

    def outputs(network: Any, samples: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return passt_stub(samples, 527), passt_stub(samples, 1295)[527:]

    monkeypatch.setattr(passt, "outputs", outputs)


def distance(metric: SetMetric, sounds: dict[str, Path], generated: tuple[str, ...], reference: tuple[str, ...]) -> Any:
    state = metric.empty()
    for role, names in (("generated", generated), ("reference", reference)):
        for name in names:
            state = metric.update(state, show(metric, role, audio=sounds[name]).contribution)
    return metric.compute(state)


@pytest.mark.usefixtures("recorded_network")
def test_recorded_divergence(no_features: HubAssets, sounds: dict[str, Path]) -> None:
    metric = made(KlDivergence, no_features, parity="peer")
    found = show(metric, audio=sounds["s12"], reference_audio=sounds["s9.9"])
    expected = GOLDEN["kl_metric_s12_vs_ref_s9.9"]["details"]
    assert found.value == pytest.approx(expected["kl_softmax"], abs=1e-5)
    assert found.outputs["kl_sigmoid"] == pytest.approx(expected["kl_sigmoid"], rel=1e-4)
    assert GOLDEN["kl_silent_generated"]["score"] is None
    with skips("nonfinite", "silence"):
        show(metric, audio=sounds["silent"], reference_audio=sounds["s9.9"])
    skip = metric.check(Sample("a", {"audio": sounds["s12"]}))
    assert skip == Skip("missing_input", "the sample has no reference_audio")


@pytest.mark.usefixtures("recorded_network")
def test_recorded_distance(no_features: HubAssets, sounds: dict[str, Path]) -> None:
    metric = made(FrechetDistance, no_features, parity="peer")
    found = distance(metric, sounds, ("s5", "s12", "s25.3"), ("s10", "s16", "s9.9"))
    expected = GOLDEN["fad_metric_g(s5,s12,s25.3)_r(s10,s16,s9.9)"]
    assert found.value == pytest.approx(expected["score"], rel=1e-5)
    assert (found.outputs["n_generated"], found.outputs["n_reference"], found.outputs["ref_source"]) == (
        3,
        3,
        "samples",
    )
    with skips("missing_input", "1 generated and 2 reference"):
        distance(metric, sounds, ("s5",), ("s10", "s16"))


@pytest.mark.usefixtures("recorded_network")
def test_recorded_embedding_of_another_rate(no_features: HubAssets, sounds: dict[str, Path]) -> None:
    metric = made(FrechetDistance, no_features, parity="peer")
    for name, expected in GOLDEN["fad_embed_first8"].items():
        found = show(metric, audio=sounds[name]).contribution["generated"]
        assert found[0, :8] == pytest.approx(expected, rel=1e-4, abs=1e-4), name


def by_hand(assets: HubAssets, path: Path, seconds: float = 8.0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """As av-benchmark: mean of the channels, less its mean, 32 kHz by a sinc, the first seconds, zeros up to 10 s."""
    network = passt.load_passt(assets.path(KlDivergence.spec, "passt"), "cpu")
    read = read_audio(path)
    mixed = read.samples.mean(0) - read.samples.mean()
    heard = resample(torch.from_numpy(mixed), read.rate, 32_000).numpy()[: int(seconds * 32_000)]
    return passt.outputs(network, np.pad(heard, (0, 320_000 - len(heard))))


def test_sounds_are_heard_as_by_the_benchmark(no_features: HubAssets, sounds: dict[str, Path]) -> None:
    pair = sounds["s4_sr16k"], sounds["s9.9"]
    (logits, features), (reference, _) = (by_hand(no_features, path) for path in pair)
    found = show(made(KlDivergence, no_features), audio=pair[0], reference_audio=pair[1])
    assert found.value == pytest.approx(kl_softmax(reference, logits), rel=1e-5)
    row = show(made(FrechetDistance, no_features), audio=pair[0]).contribution["generated"]
    assert row[0] == pytest.approx(features, abs=1e-5)
    shorter = show(made(FrechetDistance, no_features, seconds=2), audio=pair[0]).contribution["generated"]
    assert shorter[0] == pytest.approx(by_hand(no_features, pair[0], 2)[1], abs=1e-5)
    assert np.abs(shorter - row).max() > 1e-3


def test_the_two_metrics_of_a_benchmark_look_at_a_sound_once(
    no_features: HubAssets, sounds: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    show(made(FrechetDistance, no_features), audio=sounds["s5"])
    metric = made(KlDivergence, no_features)
    monkeypatch.setattr(passt, "outputs", None)
    assert show(metric, audio=sounds["s5"], reference_audio=sounds["s5"]).value == 0


@pytest.mark.parametrize("parity", ["upstream", "peer"])
def test_what_is_too_short_or_no_number_has_no_value(assets: HubAssets, tmp_path: Path, parity: str) -> None:
    metric = made(FrechetDistance, assets, parity=parity)
    noise = np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32)
    wavfile.write(tmp_path / "short.wav", 32_000, noise[:4000])
    noise[7] = np.nan
    wavfile.write(tmp_path / "nan.wav", 32_000, noise)
    wavfile.write(tmp_path / "silent.wav", 32_000, np.zeros(32_000, np.float32))
    for name, code, reason in (
        ("short", "too_short", "short.wav has 0.125 s; PaSST hears 0.15 s or more"),
        ("nan", "nonfinite", "no finite numbers"),
        ("silent", "nonfinite", "silence"),
        ("gone", "unreadable", "There is no recording"),
    ):
        with skips(code, reason):
            show(metric, audio=tmp_path / f"{name}.wav")


def given(tmp_path: Path, count: int, seed: int, width: int = 4) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    np.save(tmp_path / f"{seed}.npy", rows)
    return rows


@pytest.mark.parametrize("suffix", [".npy", ".pt"])
def test_references_of_samples_win_over_stored_ones(tmp_path: Path, suffix: str) -> None:
    stored = tmp_path / f"stored{suffix}"
    rows, other = given(tmp_path, 9, 1), given(tmp_path, 9, 2)
    if suffix == ".pt":
        torch.save(torch.from_numpy(rows), stored)
    else:
        np.save(stored, rows)
    metric = made(FrechetDistance, HubAssets("cpu", tmp_path), extractor="given", reference_features=str(stored))
    generated = {"generated": given(tmp_path, 8, 3)}
    alone = metric.compute(metric.update(metric.empty(), generated))
    assert alone.outputs["ref_source"] == str(stored) and alone.outputs["n_reference"] == 9
    streamed = metric.update(metric.update(metric.empty(), generated), {"reference": rows})
    assert metric.compute(streamed).value == alone.value
    assert metric.compute(streamed).outputs["ref_source"] == "samples"
    both = metric.update(metric.update(metric.empty(), generated), {"reference": other})
    assert metric.compute(both).value != alone.value


def test_stored_references_that_do_not_fit(tmp_path: Path) -> None:
    given(tmp_path, 9, 1, width=5)
    torch.save({"a": torch.zeros(3)}, tmp_path / "odd.pt")
    for name, code, reason in (
        ("1.npy", "shape", "has features of 5 values, and those of the samples 4"),
        ("gone.npy", "unreadable", "gone.npy is no file of features"),
        ("odd.pt", "unreadable", "holds no tensor"),
    ):
        path = tmp_path / name
        metric = made(FrechetDistance, HubAssets("cpu", tmp_path), extractor="given", reference_features=str(path))
        with skips(code, reason):
            metric.compute(metric.update(metric.empty(), {"generated": given(tmp_path, 8, 3)}))


def test_one_name_for_two_distances_is_told_apart() -> None:
    with pytest.raises(ValueError, match=r"is FD_PaSST.*CLAP's features is audio\.frechet_distance_clap"):
        FrechetDistance.spec.params(extractor="clap")


def test_divergences_are_averaged(assets: HubAssets) -> None:
    metric = made(KlDivergence, assets)
    rows = [ScoreRow(str(value), "audio.kl_divergence", 1, "", "", "ok", value) for value in (1.0, 2.0)]
    found: Score = metric.corpus(rows)
    assert found.value == 1.5
