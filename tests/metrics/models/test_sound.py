# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from fvhydra.metrics.models import sound
from tests.metrics.golden import deterministic

GOLDEN = deterministic.load("audio_front_end")


@pytest.mark.parametrize("name", GOLDEN["resample"])
def test_resampling_is_torchaudios(name: str) -> None:
    case, rates = GOLDEN["resample"][name], [int(rate) for rate in name.split("->")]
    exact = sound.resample(deterministic.given(case["input"]), *rates)
    deterministic.assert_summary(exact, case["output_float64"], case["tolerance_float64"])
    single = sound.resample(deterministic.given(case["input"], torch.float32), *rates)
    deterministic.assert_summary(single, case["output"], case["tolerance_abs"])


def test_the_same_rate_changes_nothing() -> None:
    samples = torch.rand(3, 100)
    assert sound.resample(samples, 16_000, 16_000) is samples
