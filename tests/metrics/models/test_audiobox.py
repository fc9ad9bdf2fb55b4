# SPDX-License-Identifier: Apache-2.0
"""Audiobox Aesthetics against values recorded from its own code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fvhydra.core.errors import MediaError
from fvhydra.metrics.models import audiobox
from tests.metrics.golden import deterministic

GOLDEN = deterministic.load("audiobox_aesthetics")
SMALL, FULL = GOLDEN["small"], GOLDEN["full"]
PARTS = {
    "conv0": "feature_extractor.conv_layers.0",
    "feature_extractor": "feature_extractor",
    "layer_norm": "feature_projection.layer_norm",
    "post_extract_proj": "feature_projection.projection",
    "pos_conv": "encoder.pos_conv_embed",
    "encoder_layer_norm": "encoder.layer_norm",
    "layer0": "encoder.layers.0",
    "layer2": "encoder.layers.2",
    "layer11": "encoder.layers.11",
}
TRANSFORM = {"CE": (5.0, 2.0), "CU": (6.0, 2.0), "PC": (3.0, 1.0), "PQ": (7.0, 2.0)}


def made(described: Any, dtype: torch.dtype) -> audiobox.AudioboxAesthetics:
    state = {audiobox.renamed(name): value for name, value in deterministic.state(GOLDEN, described).items()}
    network = audiobox.AudioboxAesthetics(audiobox.configured(state))
    network.load_state_dict(state, strict=True)
    return network.to(dtype).eval()


def test_names_and_shapes_are_the_checkpoints() -> None:
    expected = {audiobox.renamed(name): shape for name, shape in deterministic.shapes(GOLDEN["state_dict"]).items()}
    assert len(expected) == GOLDEN["state_dict"]["n_keys"]
    with torch.device("meta"):
        tensors = {name: torch.empty(shape) for name, shape in expected.items()}
        network = audiobox.AudioboxAesthetics(audiobox.configured(tensors))
    assert {name: list(value.shape) for name, value in network.state_dict().items()} == expected


def assert_parts(found: dict[str, torch.Tensor], case: Any) -> None:
    for name, expected in case["checkpoints"].items():
        value = found[f"wavlm_model.{PARTS[name]}"]
        if name.startswith("layer") and name != "layer_norm":  # recorded with the time first
            value = value.transpose(0, 1)
        if name == "pos_conv":
            value = value.transpose(1, 2)
        deterministic.assert_summary(value.contiguous(), expected, case["checkpoint_tolerance_abs"][name], name)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_recorded_marks(dtype: torch.dtype) -> None:
    network = made(SMALL["state_dict"], dtype)
    parts = deterministic.hooked(network, [f"wavlm_model.{PARTS[name]}" for name in SMALL["checkpoints"]])
    samples = deterministic.given(SMALL["input"], dtype)[:, 0]
    valid = torch.ones(samples.shape, dtype=torch.bool)
    samples[1, 9000:], valid[1, 9000:] = 0, False
    with torch.inference_mode():
        found = network(samples, valid)
        found["PQ_single"] = network(samples[:1], valid[:1])["PQ"]
    exact = dtype == torch.float64
    expected = SMALL["outputs_float64" if exact else "outputs"]
    for name, value in found.items():
        tolerance = SMALL["tolerance_float64" if exact else "tolerance_abs"][name]
        deterministic.assert_summary(value, expected[name], tolerance, name)
    assert_parts(parts, SMALL)


@pytest.mark.slow
def test_recorded_marks_at_full_size() -> None:
    network = made(GOLDEN["state_dict"], torch.float32)
    parts = deterministic.hooked(network, [f"wavlm_model.{PARTS[name]}" for name in FULL["checkpoints"]])
    samples = deterministic.given(FULL["input"], torch.float32)[:, 0]
    with torch.inference_mode():
        found = network(samples, torch.ones(samples.shape, dtype=torch.bool))
    for name, value in found.items():
        deterministic.assert_summary(value, FULL["outputs"][name], FULL["tolerance_abs"][name], name)
    assert_parts(parts, FULL)


WINDOWS = deterministic.load("audio_front_end")["audiobox_windows"]


@pytest.mark.parametrize("length", WINDOWS)
def test_recorded_windows(length: str) -> None:
    cut, valid = audiobox.windows(np.ones(int(length), np.float32))
    assert list(cut.shape) == [WINDOWS[length]["windows"], WINDOWS[length]["window_length"]]
    assert valid.tolist() == WINDOWS[length]["valid"] == cut.sum(1).astype(int).tolist()
    assert valid / cut.shape[1] == pytest.approx(WINDOWS[length]["weights"])


def published(folder: Path, **config: Any) -> Path:
    folder.mkdir(exist_ok=True)
    save_file(deterministic.state(GOLDEN, SMALL["state_dict"]), folder / "model.safetensors")
    transform = {axis: {"mean": mean, "std": deviation} for axis, (mean, deviation) in TRANSFORM.items()}
    (folder / "config.json").write_text(json.dumps({"target_transform": transform, **config}))
    return folder


def test_marks_of_a_recording_are_scaled_and_weighted(tmp_path: Path) -> None:
    loaded = audiobox.load_audiobox(published(tmp_path / "net", proj_num_layer=1), "cpu")
    samples = np.random.default_rng(0).normal(0, 0.1, 200_000).astype(np.float32)
    cut = torch.from_numpy(np.pad(samples, (0, 120_000)).reshape(2, -1))
    valid = torch.arange(160_000)[None] < torch.tensor([[160_000], [40_000]])
    with torch.inference_mode():
        together = loaded.network(cut, valid)  # in one batch
    found = audiobox.marks(loaded, samples)
    for axis, (mean, deviation) in TRANSFORM.items():
        first, last = (together[axis] * deviation + mean).tolist()
        assert found[axis] == pytest.approx(0.8 * first + 0.2 * last, abs=1e-5)


def test_other_networks_are_refused(tmp_path: Path) -> None:
    for config, complaint in (
        ({"proj_num_layer": 2}, "proj_num_layer is 2 and must be 1"),
        ({"target_transform": {"CE": {}}}, "lacks target_transform"),
    ):
        with pytest.raises(MediaError, match=complaint):
            audiobox.load_audiobox(published(tmp_path / "net", **config), "cpu")
