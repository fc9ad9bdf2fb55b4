# SPDX-License-Identifier: Apache-2.0
"""Preparing frames for image networks, equal to torchvision's transforms on float tensors to the bit.

Rounding of sizes and offsets is part of the numbers: whole pixels are cut off, half a pixel rounds to even.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

Frames = NDArray[np.uint8]
"""uint8 ``[n, H, W, 3]``, RGB."""

Statistics = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Mean and standard deviation of each colour, in [0, 1]."""

CLIP: Statistics = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET: Statistics = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def to_tensor(frames: Frames, device: str = "cpu") -> torch.Tensor:
    """float32 ``[n, 3, H, W]`` in [0, 1] of uint8 ``[n, H, W, 3]``."""
    # a copy: the decoder's frames are read-only, of which torch warns
    tensor = torch.from_numpy(np.array(frames)).to(device)
    return tensor.permute(0, 3, 1, 2).float() / 255


def resize_short(images: torch.Tensor, side: int, mode: Literal["bilinear", "bicubic"]) -> torch.Tensor:
    """Scale so that the shorter side is ``side``, without antialiasing; the longer one is cut to whole pixels.

    Args:
        images: float ``[n, 3, H, W]``. Bicubic interpolation may leave their range, and nothing is clamped.
        side: Pixels.
        mode: How to interpolate.
    """
    size = short_size(images.shape[-2:], side)
    return F.interpolate(images, size=size, mode=mode, align_corners=False)


def short_size(size: Sequence[int], side: int) -> tuple[int, int]:
    """Height and width of a picture of ``size``, when its shorter side becomes ``side``.

    Example:
        >>> short_size((90, 150), 224)
        (224, 373)
    """
    height, width = size
    short = min(height, width)
    return int(side * height / short), int(side * width / short)


def center_crop(images: torch.Tensor, side: int) -> torch.Tensor:
    """The middle ``side`` x ``side`` of ``[..., H, W]``, both at least ``side``."""
    top, left = (round((length - side) / 2) for length in images.shape[-2:])
    return images[..., top : top + side, left : left + side]


def pad_both_sides(images: torch.Tensor, multiple: int) -> torch.Tensor:
    """``[n, C, H, W]`` with its edges repeated, up to multiples of ``multiple``; an odd row or column comes last."""
    rows, columns = (-length % multiple for length in images.shape[-2:])
    sides = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
    return F.pad(images, sides, mode="replicate")


def normalise(images: torch.Tensor, statistics: Statistics) -> torch.Tensor:
    """``(x - mean) / std`` of ``[n, 3, H, W]``."""
    mean, std = (torch.tensor(values, device=images.device)[:, None, None] for values in statistics)
    return (images - mean) / std


def batches(frames: Frames, megabytes_each: float, memory_mb: int) -> Iterator[Frames]:
    """Consecutive parts of ``frames`` on which a network stays within ``memory_mb``; of one frame at the least."""
    size = max(1, int(memory_mb / megabytes_each))
    for start in range(0, len(frames), size):
        yield frames[start : start + size]
