# SPDX-License-Identifier: Apache-2.0
"""PaSST against values recorded from its own code."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fvhydra.core.errors import MediaError
from fvhydra.metrics.models import passt
from tests.metrics.golden import deterministic

GOLDEN = deterministic.load("passt_s")
SMALL = GOLDEN["small"]
SIZE = passt.Size(width=48, depth=3, heads=4, classes=20, columns=9)


def small(dtype: torch.dtype) -> passt.Passt:
    network = deterministic.made(GOLDEN, passt.Passt(SIZE), SMALL["state_dict"], dtype)
    assert isinstance(network, passt.Passt)
    return network


def test_names_and_shapes_are_the_checkpoints() -> None:
    with torch.device("meta"):
        network = passt.Passt()
    deterministic.assert_same_names(network, GOLDEN)


@pytest.mark.parametrize("name", ["10s", "3.3s"])
def test_recorded_spectrograms(name: str) -> None:
    case = GOLDEN["front_end"][name]
    found = passt.mel_spectrogram(deterministic.given(case["input"], torch.float32))
    deterministic.assert_summary(found, case["output"], case["tolerance_abs"])


def test_recorded_spectrogram_of_silence() -> None:
    case = GOLDEN["front_end"]["silence_1s"]
    deterministic.assert_summary(passt.mel_spectrogram(torch.zeros(1, 32_000)), case["output"], case["tolerance_abs"])


def test_recorded_filters() -> None:
    case = GOLDEN["front_end"]["mel_bank"]
    bank = passt.mel_bank()
    deterministic.assert_summary(bank[:, :-1], case["output"], case["tolerance_abs"])
    assert not bank[:, -1].any()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_recorded_outputs(dtype: torch.dtype) -> None:
    network, exact = small(dtype), dtype == torch.float64
    expected = SMALL["outputs_float64" if exact else "outputs"]
    tolerance = SMALL["tolerance_float64" if exact else "tolerance_abs"]
    mel = deterministic.given(SMALL["input"], dtype)
    parts = deterministic.hooked(network, list(SMALL["checkpoints"]))
    with torch.inference_mode():
        found = {"": network(mel), "_60_frames": network(mel[..., :60])}
    for case, (logits, features) in found.items():
        for name, value in ((f"logits{case}", logits), (f"features{case}", features)):
            deterministic.assert_summary(value, expected[name], tolerance[name], name)
    deterministic.assert_summary(parts.pop("head.0"), SMALL["checkpoints"]["head.0"], 4.8e-5)
    for name, value in parts.items():
        deterministic.assert_summary(value, SMALL["checkpoints"][name], SMALL["checkpoint_tolerance_abs"][name], name)


@pytest.mark.slow
def test_recorded_outputs_at_full_size() -> None:
    full = GOLDEN["full"]
    network = deterministic.made(GOLDEN, passt.Passt(), GOLDEN["state_dict"], torch.float32)
    parts = deterministic.hooked(network, [name for name in full["checkpoints"] if name != "mel"])
    with torch.inference_mode():
        mel = passt.mel_spectrogram(deterministic.given(full["input"], torch.float32)[:1])
        found = torch.cat(network(mel[:, None]), 1)
    deterministic.assert_summary(found, full["outputs"]["all"], full["tolerance_abs"]["all"])
    for name, value in {"mel": mel, **parts}.items():
        deterministic.assert_summary(value, full["checkpoints"][name], full["checkpoint_tolerance_abs"][name], name)


@pytest.mark.parametrize("wrapped", [True, False])
def test_published_files_load(tmp_path: Path, wrapped: bool) -> None:
    state = deterministic.state(GOLDEN, SMALL["state_dict"])
    torch.save({"model": state, "epoch": 3} if wrapped else state, tmp_path / "passt.pt")
    network = passt.load_passt(tmp_path / "passt.pt", "cpu")
    assert torch.equal(network.head[1].bias, state["head.1.bias"])


def test_other_weights_are_refused(tmp_path: Path) -> None:
    state = deterministic.state(GOLDEN, SMALL["state_dict"])
    path = tmp_path / "passt.pt"
    for odd, complaint in (
        ({**state, "norm.weight": torch.zeros(5)}, r"norm\.weight, which is \[5\] and must be \[48\]"),
        ({**state, "extra": torch.zeros(5)}, r"extra, which is \[5\] and must be absent"),
        ({"weight": torch.zeros(5)}, "no weights of the expected network: 'cls_token'"),
    ):
        torch.save(odd, path)
        with pytest.raises(MediaError, match=complaint):
            passt.load_passt(path, "cpu")
