# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fvhydra.metrics.functional.audio.divergence import kl_sigmoid, kl_softmax
from fvhydra.metrics.functional.audio.windows import PASST_RATE_HZ, fad_window, kl_windows, normalise_peak
from fvhydra.metrics.functional.frechet import PEER_RIDGE, FeatureSet, frechet_distance
from tests.metrics.golden import load, recipes

GOLDEN = load("kl_fad")
RECORDINGS = {case["name"]: case for case in GOLDEN["windows"] if case["audio"]["sr"] == PASST_RATE_HZ}


def passt_stub(samples: NDArray[np.float32], outputs: int) -> NDArray[np.float32]:
    """What stood for PaSST when the values were recorded: 32 means of the absolute samples, projected."""
    edges = [(i * len(samples) // 32, -((i + 1) * len(samples) // -32)) for i in range(32)]
    means = np.asarray([np.abs(samples[start:end]).mean() for start, end in edges], np.float32)
    return 40 * recipes.probe_matrix(51, outputs, 6, 1)[:, :32] @ means


def recording(name: str) -> NDArray[np.float32]:
    return normalise_peak(recipes.build(RECORDINGS[name]["audio"]))


def mean_logits(name: str) -> NDArray[np.float32]:
    return np.mean([passt_stub(window, 527) for window in kl_windows(recording(name))], axis=0)


@pytest.mark.parametrize("index", range(3))
def test_recorded_divergence(index: int) -> None:
    random = np.random.RandomState(61)
    drawn: list[list[NDArray[np.float32]]] = []
    for case in GOLDEN["pure"]:
        drawn.append([(random.randn(case["C"]) * case["scale"]).astype(np.float32) for _ in range(2)])
    case, (generated, reference) = GOLDEN["pure"][index], drawn[index]
    assert [recipes.sha(logits) for logits in drawn[index]] == case["logit_sha"]
    assert kl_softmax(reference, generated) == pytest.approx(case["kl_softmax"], rel=1e-5)
    assert kl_softmax(generated, reference) == pytest.approx(case["kl_softmax_swapped"], rel=1e-5)
    assert kl_sigmoid(reference, generated) == pytest.approx(case["kl_sigmoid"], rel=1e-5)


def test_equal_logits_are_ideal() -> None:
    logits = np.random.default_rng(0).normal(0, 5, 527)
    assert kl_softmax(logits, logits) == GOLDEN["identical_logits_kl"] == 0
    assert kl_softmax(logits, logits + 1000) == pytest.approx(0, abs=1e-9)


def test_it_grows_with_the_difference() -> None:
    random = np.random.default_rng(1)
    reference, change = random.normal(0, 2, 527), random.normal(0, 1, 527)
    values = [kl_softmax(reference, reference + size * change) for size in (0.0, 0.1, 0.5, 2.0)]
    assert values == sorted(values)
    assert values[1] > 1e-3


@pytest.mark.parametrize("name", RECORDINGS)
def test_recorded_windows(name: str) -> None:
    windows = kl_windows(recording(name))
    assert [len(window) for window in windows] == RECORDINGS[name]["window_lengths"]
    assert mean_logits(name)[:8] == pytest.approx(RECORDINGS[name]["mean_logits_first8"], rel=1e-4, abs=1e-4)
    embedding = passt_stub(fad_window(recording(name)), 1295)[527:]
    assert embedding[:8] == pytest.approx(GOLDEN["fad_embed_first8"][name], rel=1e-4, abs=1e-4)


def test_recorded_from_sound_to_score() -> None:
    expected = GOLDEN["kl_metric_s12_vs_ref_s9.9"]["details"]
    generated, reference = mean_logits("s12"), mean_logits("s9.9")
    assert kl_softmax(reference, generated) == pytest.approx(expected["kl_softmax"], abs=1e-5)
    assert kl_sigmoid(reference, generated) == pytest.approx(expected["kl_sigmoid"], rel=1e-4)


def test_recorded_frechet_distance_of_sound() -> None:
    sides = []
    for names in (("s5", "s12", "s25.3"), ("s10", "s16", "s9.9")):
        found = FeatureSet(768)
        found.update(np.stack([passt_stub(fad_window(recording(name)), 1295)[527:] for name in names]))
        sides.append(found)
    expected = GOLDEN["fad_metric_g(s5,s12,s25.3)_r(s10,s16,s9.9)"]["score"]
    assert frechet_distance(*sides, ridge=PEER_RIDGE) == pytest.approx(expected, rel=1e-5)


def test_short_windows_stay_short() -> None:
    assert [len(window) for window in kl_windows(np.ones(48_000, np.float32))] == [48_000]
    assert [len(window) for window in kl_windows(np.ones(48_001, np.float32))] == [320_000]


def test_peak() -> None:
    quiet = np.asarray([0.01, -0.02], np.float32)
    assert normalise_peak(quiet) == pytest.approx(quiet / 0.02 * 0.891251, rel=1e-5)


@pytest.mark.parametrize("samples", [np.zeros(8, np.float32), np.zeros(0, np.float32)])
def test_silence_has_no_peak(samples: Any) -> None:
    with pytest.raises(ValueError, match="silence"):
        normalise_peak(samples)


@pytest.mark.parametrize("measure", [kl_softmax, kl_sigmoid])
def test_refuses_what_are_no_logits(measure: Any) -> None:
    logits = np.zeros(5)
    for bad, complaint in (
        (np.zeros((1, 5)), r"\[C\]"),
        (np.zeros(4), "differ in shape"),
        (np.full(5, np.nan), "finite"),
    ):
        with pytest.raises(ValueError, match=complaint):
            measure(logits, bad)
    with pytest.raises(ValueError, match="without samples"):
        kl_windows(np.zeros(0, np.float32))
