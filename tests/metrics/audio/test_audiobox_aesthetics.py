# SPDX-License-Identifier: Apache-2.0
"""Marks of sounds, with tiny weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from fvhydra.metrics.assets import HubAssets
from fvhydra.metrics.audio.audiobox_aesthetics import AudioboxAesthetics
from fvhydra.metrics.models import audiobox
from fvhydra.metrics.models.sound import resample
from tests.metrics.audio.test_networks import made, show
from tests.metrics.running import skips


def test_step_by_step(assets: HubAssets, tmp_path: Path) -> None:
    """Mean of the channels, as loud as they are, 16 kHz by a sinc."""
    noise = np.random.default_rng(0).normal(0, 0.1, (24_000, 2)).astype(np.float32)
    wavfile.write(tmp_path / "a.wav", 24_000, noise)
    metric = made(AudioboxAesthetics, assets)
    loaded = audiobox.load_audiobox(assets.path(metric.spec, "audiobox"), "cpu")
    samples = resample(torch.from_numpy(noise.mean(1)), 24_000, 16_000).numpy()
    expected = audiobox.marks(loaded, samples)
    found = show(metric, audio=tmp_path / "a.wav")
    assert {"PQ": found.value, **found.outputs} == pytest.approx(expected, abs=1e-4)
    assert len(set(expected.values())) == 4


def test_what_has_no_sound_has_no_marks(assets: HubAssets, tmp_path: Path) -> None:
    metric = made(AudioboxAesthetics, assets)
    wavfile.write(tmp_path / "silent.wav", 16_000, np.zeros(16_000, np.float32))
    wavfile.write(tmp_path / "nan.wav", 16_000, np.full(16_000, np.nan, np.float32))
    for name, code in (("silent", "nonfinite"), ("nan", "nonfinite"), ("gone", "unreadable")):
        with skips(code):
            show(metric, audio=tmp_path / f"{name}.wav")
