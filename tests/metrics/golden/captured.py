# SPDX-License-Identifier: Apache-2.0
"""What the networks received when the values were recorded: sizes, moments, a probe of the first and last picture."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from tests.metrics.golden import recipes

_PROBE_SEED, _PROBE_OUTPUTS, _PROBE_GRID = 900, 4, 4


def probe(pictures: torch.Tensor, seed: int, outputs: int, grid: int = 4) -> torch.Tensor:
    """What stands for a network: ``[n, outputs]``, a projection of means over a grid of the picture."""
    means = F.adaptive_avg_pool2d(pictures, (grid, grid)).flatten(1)
    return means @ torch.from_numpy(recipes.probe_matrix(seed, outputs, grid)).T


def assert_captured(pictures: torch.Tensor, expected: dict[str, Any], tolerance: float = 1e-4) -> None:
    """``[n, 3, H, W]`` must be what was recorded."""
    assert list(pictures.shape) == expected["shape"][-4:]
    moments = [float(f(pictures.double())) for f in (torch.mean, lambda x: x.std(correction=0), torch.min, torch.max)]
    assert moments == pytest.approx([expected[name] for name in ("mean", "std", "min", "max")], abs=1e-5)
    for name, picture in (("probe_first_frame", pictures[:1]), ("probe_last_frame", pictures[-1:])):
        found = probe(picture, _PROBE_SEED, _PROBE_OUTPUTS, _PROBE_GRID)[0].tolist()
        assert found == pytest.approx(expected[name], abs=tolerance)
