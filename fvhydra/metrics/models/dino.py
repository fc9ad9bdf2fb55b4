# SPDX-License-Identifier: Apache-2.0
"""DINO's ViT on frames of any shape."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from transformers import ViTModel

from fvhydra.metrics.models.images import IMAGENET, Frames, batches, normalise, resize_short, to_tensor
from fvhydra.metrics.models.loading import pretrained

_SIDE = 224
_MB_EACH = 20
"""Of a 16:9 frame through ViT-B/16, measured."""


def load_dino(folder: Path, device: str) -> ViTModel:
    """Load the network without a head, with DINO's interpolation of its position embeddings."""
    model = pretrained(ViTModel, folder, device, add_pooling_layer=False)
    model.embeddings.interpolate_pos_encoding = partial(_positions, model)
    return model


def preprocess(frames: Frames, device: str = "cpu") -> torch.Tensor:
    """float32 ``[n, 3, h, w]``: the shorter side is 224, bilinear without antialiasing; nothing is cropped."""
    return normalise(resize_short(to_tensor(frames, device), _SIDE, "bilinear"), IMAGENET)


@torch.inference_mode()
def features(model: ViTModel, frames: Frames, memory_mb: int) -> NDArray[np.float32]:
    """The class token of each frame, float32 ``[n, D]``, of any length."""
    found = []
    for part in batches(frames, _MB_EACH, memory_mb):
        output = model(preprocess(part, str(model.device)), interpolate_pos_encoding=True)
        found.append(output.last_hidden_state[:, 0].cpu())
    return np.asarray(torch.cat(found), np.float32)


def _positions(model: ViTModel, embeddings: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Position embeddings for pictures of ``height`` x ``width``: ``[1, 1 + patches, D]``.

    DINO scales its grid by ``(patches + 0.1) / side``, so as to be safe from rounding, and transformers by the exact
    ratio. Where the picture is not a square of the trained size, the two sample the grid at other places.
    """
    learned: torch.Tensor = model.embeddings.position_embeddings
    patch: int = model.config.patch_size
    side = int((learned.shape[1] - 1) ** 0.5)
    rows, columns = height // patch, width // patch
    if height == width and rows == side:
        return learned
    grid = learned[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    scale = ((rows + 0.1) / side, (columns + 0.1) / side)
    grid = F.interpolate(grid, scale_factor=scale, mode="bicubic")
    return torch.cat([learned[:, :1], grid.flatten(2).transpose(1, 2)], dim=1)
