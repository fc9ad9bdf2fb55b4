# SPDX-License-Identifier: Apache-2.0
"""Synchformer against values recorded from its own code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from fvhydra.core.errors import MediaError
from fvhydra.metrics.models import synchformer
from fvhydra.metrics.models.synchformer.pictures import Pictures
from fvhydra.metrics.models.synchformer.sounds import Sounds, mel_bank, mel_spectrograms
from tests.metrics.golden import deterministic

GOLDEN = deterministic.load("synchformer")
SMALL, COMPARATOR, WIDE = GOLDEN["small"], GOLDEN["comparator_full_size"], GOLDEN["full_width"]


def test_names_and_shapes_are_the_checkpoints() -> None:
    with torch.device("meta"):
        network = synchformer.Synchformer()
    deterministic.assert_same_names(network, GOLDEN)


def test_recorded_spectrograms() -> None:
    case = GOLDEN["front_end"]["mel"]
    samples = deterministic.given(case["input"], torch.float32)
    segments = samples[0].unfold(0, 10_240, 5_120)
    found = mel_spectrograms(segments)[None]
    deterministic.assert_summary(found, case["output"], case["tolerance_abs"])


def test_recorded_filters() -> None:
    deterministic.assert_summary(mel_bank(), GOLDEN["front_end"]["mel_bank"]["output"], 1e-5)


def assert_recorded(parts: dict[str, torch.Tensor], case: Any, **found: torch.Tensor) -> None:
    exact = next(iter(found.values())).dtype == torch.float64
    for name, value in found.items():
        expected = case["outputs_float64" if exact else "outputs"][name]
        deterministic.assert_summary(value, expected, case["tolerance_float64" if exact else "tolerance_abs"][name])
    assert set(parts) == set(case["checkpoints"])
    for name, value in parts.items():
        deterministic.assert_summary(value, case["checkpoints"][name], case["checkpoint_tolerance_abs"][name], name)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_recorded_features(dtype: torch.dtype) -> None:
    pictures, sounds = Pictures(48, 2, 4, 4), Sounds(48, 2, 4)
    network = nn.ModuleDict({"vfeat_extractor": pictures, "afeat_extractor": sounds})
    deterministic.made(GOLDEN, network, SMALL["state_dict"], dtype)
    parts = deterministic.hooked(network, list(SMALL["checkpoints"]))
    video, audio = (deterministic.given(SMALL["input"][name], dtype)[0] for name in ("video", "audio"))
    with torch.inference_mode():
        vfeat, afeat = pictures(video)[None], sounds(audio.transpose(1, 2))[None]
    assert_recorded(parts, SMALL, vfeat=vfeat, afeat=afeat)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_recorded_comparison(dtype: torch.dtype) -> None:
    network = synchformer.Synchformer(synchformer.Size(depth=0))
    del network.vfeat_extractor, network.afeat_extractor
    deterministic.made(GOLDEN, network, GOLDEN["state_dict"], dtype, lambda name: "feat_extractor" not in name)
    parts = deterministic.hooked(network, list(COMPARATOR["checkpoints"]))
    features = [deterministic.given(COMPARATOR["input"][name], dtype) for name in ("vfeat", "afeat")]
    with torch.inference_mode():
        logits = network(*features)
    assert_recorded(parts, COMPARATOR, logits=logits)


def shallow(name: str) -> bool:
    """Of the first two blocks, which is as far as the recorded run went, and not of the comparison."""
    layer = re.search(r"\.(?:blocks|layer)\.(\d+)\.", name)
    return "feat_extractor" in name and (layer is None or int(layer[1]) < 2)


@pytest.mark.slow
def test_recorded_features_at_full_width() -> None:
    pictures, sounds = Pictures(768, 2, 12, 8), Sounds(768, 2, 12)
    network = nn.ModuleDict({"vfeat_extractor": pictures, "afeat_extractor": sounds})
    deterministic.made(GOLDEN, network, GOLDEN["state_dict"], torch.float32, shallow)
    parts = deterministic.hooked(network, list(WIDE["checkpoints"]))
    video, audio = (deterministic.given(WIDE["input"][name], torch.float32) for name in ("video", "audio"))
    with torch.inference_mode():
        vfeat, afeat = pictures(video.transpose(0, 1)[None])[None], sounds(audio[0, :, 0])[None]
    assert_recorded(parts, WIDE, vfeat=vfeat, afeat=afeat)


def test_segments_do_not_depend_on_their_batch() -> None:
    network = Pictures(48, 2, 4, 4).double().eval()
    video = deterministic.given(SMALL["input"]["video"])[0]
    with torch.inference_mode():
        alone = torch.cat([network(segment[None]) for segment in video])
        assert torch.allclose(network(video), alone, atol=1e-10)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    torch.save({"vproj.bias": torch.zeros(4)}, tmp_path / "other.pth")
    with pytest.raises(MediaError, match="no weights of the expected network"):
        synchformer.load_synchformer(tmp_path / "other.pth", "cpu")
