# SPDX-License-Identifier: Apache-2.0
"""CLIP's image tower on frames, with VBench's preprocessing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import CLIPVisionModelWithProjection

from fvhydra.metrics.models.images import CLIP, Frames, batches, center_crop, normalise, resize_short, to_tensor
from fvhydra.metrics.models.loading import pretrained

_SIDE = 224
_MB_EACH = 25
"""Of a frame through ViT-L/14, measured."""


def load_clip(folder: Path, device: str) -> CLIPVisionModelWithProjection:
    """The tower and its projection, from a folder with all of CLIP."""
    return pretrained(CLIPVisionModelWithProjection, folder, device)


def preprocess(frames: Frames, device: str = "cpu") -> torch.Tensor:
    """float32 ``[n, 3, 224, 224]``: bicubic without antialiasing, and the middle square.

    VBench calls torchvision's resize on tensors, of the time when that did not antialias by default.
    """
    images = center_crop(resize_short(to_tensor(frames, device), _SIDE, "bicubic"), _SIDE)
    return normalise(images, CLIP)


@torch.inference_mode()
def features(tower: CLIPVisionModelWithProjection, frames: Frames, memory_mb: int) -> NDArray[np.float32]:
    """Projected features of each frame, float32 ``[n, D]``, of any length."""
    found = [
        tower(pixel_values=preprocess(part, str(tower.device))).image_embeds.cpu()
        for part in batches(frames, _MB_EACH, memory_mb)
    ]
    return np.asarray(torch.cat(found), np.float32)
