# SPDX-License-Identifier: Apache-2.0
"""VBench's dimensions that look through a network: the recorded probe in its place, and tiny weights."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from fvhydra.core.scores import ScoreRow
from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.base import Metric, Shared
from fvhydra.metrics.common.fvd import Fvd
from fvhydra.metrics.functional.vbench import temporal
from fvhydra.metrics.models import clip, dino, loading
from fvhydra.metrics.vbench.aesthetic_quality import AestheticQuality
from fvhydra.metrics.vbench.appearance_style import AppearanceStyle
from fvhydra.metrics.vbench.background_consistency import BackgroundConsistency
from fvhydra.metrics.vbench.subject_consistency import SubjectConsistency
from tests.metrics.golden import load, recipes
from tests.metrics.golden.captured import probe
from tests.metrics.running import run, score, skips
from tests.similarity.conftest import textured

CONSISTENCY, CLIP = load("consistency"), load("clip_metrics")


class Probe:
    """What stood for CLIP or DINO when the values were recorded."""

    device = "cpu"

    def __init__(self, seed: int, outputs: int) -> None:
        self._seed, self._outputs = seed, outputs

    def __call__(self, pixel_values: torch.Tensor, interpolate_pos_encoding: bool = False) -> Any:
        features = probe(pixel_values, self._seed, self._outputs)
        return SimpleNamespace(image_embeds=features, last_hidden_state=features[:, None])


def made(kind: type[Metric], assets: HubAssets, **params: str) -> Any:
    metric = kind(kind.spec.params(**params), assets)
    metric.setup()
    return metric


def row(value: float, frames: int) -> ScoreRow:
    return ScoreRow("a", "a", 1, "", "", "ok", value, frames=frames)


def with_network(assets: HubAssets, name: str, network: Probe, **overrides: Path) -> HubAssets:
    """The same weights, and a network that is already loaded."""
    networks = Shared()
    networks(name, lambda: network)
    return HubAssets("cpu", assets.cache_dir, overrides, tiny=True, networks=networks)


@pytest.mark.parametrize("chunk", [2, 50])
@pytest.mark.parametrize("case", CLIP["cases"], ids=lambda case: case["name"])
def test_recorded_aesthetic_quality(case: dict[str, Any], chunk: int, assets: HubAssets, tmp_path: Path) -> None:
    weight = np.random.RandomState(404).randn(1, 768).astype(np.float32)
    torch.save({"weight": torch.from_numpy(weight), "bias": torch.tensor([5.0])}, tmp_path / "head.pth")
    probed = with_network(assets, "clip_l14", Probe(403, 768), aesthetic_head=tmp_path / "head.pth")
    video = recipes.clip(recipes.checked(case["video"], case["sha"]))
    found, expected = score(made(AestheticQuality, probed), video=video, chunk=chunk), case["aesthetic_quality"]
    assert found.value == pytest.approx(expected["score"], abs=CLIP["tolerance"])
    assert found.series["per_frame"] == pytest.approx(expected["details"]["per_frame"], abs=CLIP["tolerance"])


@pytest.mark.parametrize("chunk", [1, 2, 50])
@pytest.mark.parametrize("case", CONSISTENCY["cases"], ids=lambda case: case["name"])
def test_recorded_subject_consistency(case: dict[str, Any], chunk: int, assets: HubAssets) -> None:
    expected = case["subject"]
    probed = with_network(assets, "dino_b16", Probe(expected["probe_seed"], expected["D"]))
    video = recipes.clip(recipes.checked(case["video"], case["sha"]))
    found = score(made(SubjectConsistency, probed), video=video, chunk=chunk)
    assert found.value == pytest.approx(expected["score"], abs=CONSISTENCY["tolerance"])


@pytest.mark.parametrize("chunk", [1, 2, 50])
@pytest.mark.parametrize("case", CONSISTENCY["cases"], ids=lambda case: case["name"])
def test_recorded_background_consistency(case: dict[str, Any], chunk: int, assets: HubAssets) -> None:
    expected = case["background"]
    probed = with_network(assets, "clip_b32", Probe(expected["probe_seed"], expected["D"]))
    video = recipes.clip(recipes.checked(case["video"], case["sha"]))
    found = score(made(BackgroundConsistency, probed), video=video, chunk=chunk)
    assert found.value == pytest.approx(expected["score"], abs=CONSISTENCY["tolerance"])


@pytest.mark.parametrize("chunk", [2, 50])
@pytest.mark.parametrize("case", CLIP["cases"], ids=lambda case: case["name"])
def test_recorded_appearance_style(
    case: dict[str, Any], chunk: int, assets: HubAssets, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = np.random.RandomState(406).randn(1, 16).astype(np.float32)[0]
    monkeypatch.setattr(clip, "text_features", lambda tower, text: words)
    metric = made(AppearanceStyle, with_network(assets, "clip_b32", Probe(405, 16)), parity="peer")
    video = recipes.clip(recipes.checked(case["video"], case["sha"]))
    found, expected = score(metric, {"text_prompt": "a"}, video=video, chunk=chunk), case["appearance_style"]
    assert found.value == pytest.approx(expected["score"], abs=CLIP["tolerance"])
    assert found.series["per_frame"] == pytest.approx(expected["details"]["per_frame"], abs=CLIP["tolerance"])


def test_appearance_style_compares_with_the_style_alone(assets: HubAssets) -> None:
    video, metric = textured(3, 60, 90), made(AppearanceStyle, assets)
    folder = assets.path(metric.spec, "clip_b32")
    pictures = clip.features(clip.load_clip(folder, "cpu"), video, 512, clip.preprocess_pictures)
    words = clip.text_features(clip.load_text(folder, "cpu"), "oil painting")
    cosines = pictures @ words / np.linalg.norm(pictures, axis=1) / np.linalg.norm(words)
    told = {"auxiliary_info": {"appearance_style": " oil painting"}, "text_prompt": "A cat, oil painting"}
    found = score(metric, told, video=video)
    assert found.series["per_frame"] == pytest.approx(cosines, abs=1e-5)
    assert score(made(AppearanceStyle, assets, parity="peer"), told, video=video).value != pytest.approx(found.value)
    for told in ({}, {"auxiliary_info": {"color": "red"}}, {"auxiliary_info": "oil"}, {"text_prompt": "A cat"}):
        with skips("missing_input", "auxiliary_info.appearance_style"):
            score(metric, told, video=video)
    with skips("missing_input", "text_prompt"):
        score(made(AppearanceStyle, assets, parity="peer"), {"text_prompt": ""}, video=video)


def test_appearance_style_over_all_samples_is_the_mean_of_all_frames(assets: HubAssets) -> None:
    rows = [row(value, frames) for value, frames in ((0.1, 1), (0.4, 2))]
    metric, peer = made(AppearanceStyle, assets), made(AppearanceStyle, assets, parity="peer")
    assert metric.corpus(rows).value == pytest.approx(0.3)
    assert peer.corpus(rows).value == pytest.approx(0.25)
    assert (metric.comparable_to, peer.comparable_to) == (("vbench",), ())


def test_a_network_that_several_metrics_need_is_loaded_once(assets: HubAssets, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, load = [], loading.pretrained

    def counted(kind: type, *rest: Any, **options: Any) -> Any:
        loaded.append(kind.__name__)
        return load(kind, *rest, **options)

    monkeypatch.setattr(clip, "pretrained", counted)
    fresh = HubAssets("cpu", assets.cache_dir, tiny=True)
    metrics = [made(BackgroundConsistency, fresh), made(AppearanceStyle, fresh), made(Fvd, fresh, extractor="clip")]
    assert loaded == ["CLIPVisionModelWithProjection", "CLIPTextModelWithProjection"]
    run(metrics[:2], {"auxiliary_info": {"appearance_style": "oil"}}, video=textured(3, 60, 90))


@pytest.mark.parametrize("chunk", [1, 4])
def test_aesthetic_quality_of_tiny_weights_in_chunks(assets: HubAssets, chunk: int) -> None:
    video, metric = textured(6, 60, 90), made(AestheticQuality, assets)
    folder, head = (assets.path(metric.spec, asset.name) for asset in metric.spec.assets)
    features = torch.from_numpy(clip.features(clip.load_clip(folder, "cpu"), video, 4096))
    state = loading.state_dict(head)
    marks = torch.nn.functional.normalize(features) @ state["weight"][0] + state["bias"]
    found = score(metric, video=video, chunk=chunk)
    assert found.series["per_frame"] == pytest.approx((marks / 10).numpy(), abs=1e-5)
    assert found.value == pytest.approx(float(marks.mean() / 10), abs=1e-5)


@pytest.mark.parametrize("chunk", [1, 4])
def test_subject_consistency_of_tiny_weights_in_chunks(assets: HubAssets, chunk: int) -> None:
    video, metric = textured(6, 60, 90), made(SubjectConsistency, assets)
    network = dino.load_dino(assets.path(metric.spec, "dino_b16"), "cpu")
    terms = temporal.consistency_terms(dino.features(network, video, 4096))
    found = score(metric, video=video, chunk=chunk)
    assert found.series["per_pair"] == pytest.approx(terms, abs=1e-5)
    assert found.value == pytest.approx(terms.mean(), abs=1e-5)


@pytest.mark.parametrize("kind", [SubjectConsistency, BackgroundConsistency])
def test_what_stays_is_ideal_and_what_changes_is_not(kind: type[Metric], assets: HubAssets) -> None:
    metric, still = made(kind, assets), textured(1, 60, 90).repeat(4, 0)
    changed = still.copy()
    changed[2:] = textured(1, 60, 90, seed=3)
    assert score(metric, video=still).value == pytest.approx(1, abs=1e-6)
    found = score(metric, video=changed).series["per_pair"]
    # the change is seen where it happens, and against the first frame from then on
    assert found[0] == pytest.approx(1, abs=1e-6)
    assert found[1] < found[2] < 1 - 1e-4


def test_one_frame(assets: HubAssets) -> None:
    with skips("too_short", "it takes two"):
        score(made(SubjectConsistency, assets), video=textured(1, 60, 90))
    assert score(made(SubjectConsistency, assets, parity="peer"), video=textured(1, 60, 90)).value == 1
    assert score(made(AestheticQuality, assets), video=textured(1, 60, 90)).frames == 1
