"""What stood for the image networks when the values were recorded: a probe, behind the networks' own preprocessing."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from tests.metrics.golden import recipes

_CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def encode(recipe: recipes.Recipe, network: Literal["clip", "dino"], seed: int, outputs: int) -> NDArray[np.float32]:
    """Features ``[T, outputs]``: the shorter side to 224, CLIP with a square crop, and a projection of 4x4 means."""
    frames = torch.from_numpy(recipes.build(recipe).astype(np.float32) / np.float32(255))
    height, width = frames.shape[2:]
    short = min(height, width)
    size = [int(224 * height / short), int(224 * width / short)]
    mode, (mean, std) = ("bicubic", _CLIP) if network == "clip" else ("bilinear", _IMAGENET)
    frames = F.interpolate(frames, size=size, mode=mode, align_corners=False)
    if network == "clip":
        top, left = (round((side - 224) / 2) for side in size)
        frames = frames[..., top : top + 224, left : left + 224]
    normalised = (frames - _column(mean)) / _column(std)
    means = F.adaptive_avg_pool2d(normalised, (4, 4)).flatten(1)
    return np.asarray(means @ torch.from_numpy(recipes.probe_matrix(seed, outputs, 4)).T, np.float32)


def _column(values: Any) -> torch.Tensor:
    return torch.tensor(values)[:, None, None]
