# SPDX-License-Identifier: Apache-2.0
"""CLIP's two towers on frames and words, with VBench's preprocessing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import CLIPTextModelWithProjection, CLIPTokenizer, CLIPVisionModelWithProjection

from fvhydra.metrics.models.images import (
    CLIP,
    Frames,
    batches,
    center_crop,
    normalise,
    resize_short,
    short_size,
    to_tensor,
)
from fvhydra.metrics.models.loading import pretrained, quiet

_SIDE = 224
_MB_EACH = 25
"""Of a frame through ViT-L/14, measured."""


@dataclass(frozen=True)
class TextTower:
    """What turns words into CLIP's features."""

    network: CLIPTextModelWithProjection
    tokenizer: CLIPTokenizer


def load_text(folder: Path, device: str) -> TextTower:
    """The other tower, with its tokenizer, from the same folder."""
    with quiet():
        tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    return TextTower(pretrained(CLIPTextModelWithProjection, folder, device), tokenizer)


def load_clip(folder: Path, device: str) -> CLIPVisionModelWithProjection:
    """The tower and its projection, from a folder with all of CLIP."""
    return pretrained(CLIPVisionModelWithProjection, folder, device)


def preprocess(frames: Frames, device: str = "cpu") -> torch.Tensor:
    """float32 ``[n, 3, 224, 224]``: bicubic without antialiasing, and the middle square.

    VBench calls torchvision's resize on tensors, of the time when that did not antialias by default.
    """
    images = center_crop(resize_short(to_tensor(frames, device), _SIDE, "bicubic"), _SIDE)
    return normalise(images, CLIP)


def preprocess_pictures(frames: Frames, device: str = "cpu") -> torch.Tensor:
    """The same through Pillow, whose bicubic scaling antialiases and gives 8 bits: CLIP's own way with pictures."""
    height, width = short_size(frames.shape[1:3], _SIDE)
    scaled = [Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC) for frame in frames]
    images = to_tensor(np.stack([np.asarray(picture) for picture in scaled]), device)
    return normalise(center_crop(images, _SIDE), CLIP)


@torch.inference_mode()
def text_features(tower: TextTower, text: str) -> NDArray[np.float32]:
    """Projected features of a text, float32 ``[D]``, of any length; what is above 77 tokens is cut off."""
    limit = tower.network.config.max_position_embeddings
    tokens = tower.tokenizer(text, truncation=True, max_length=limit, return_tensors="pt")["input_ids"]
    return np.asarray(tower.network(input_ids=tokens.to(tower.network.device)).text_embeds[0].cpu(), np.float32)


@torch.inference_mode()
def features(
    tower: CLIPVisionModelWithProjection,
    frames: Frames,
    memory_mb: int,
    prepare: Callable[[Frames, str], torch.Tensor] = preprocess,
) -> NDArray[np.float32]:
    """Projected features of each frame, float32 ``[n, D]``, of any length."""
    found = [
        tower(pixel_values=prepare(part, str(tower.device))).image_embeds.cpu()
        for part in batches(frames, _MB_EACH, memory_mb)
    ]
    return np.asarray(torch.cat(found), np.float32)
