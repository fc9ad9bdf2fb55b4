# SPDX-License-Identifier: Apache-2.0
"""What Synchformer sees: a MotionFormer with attention divided into time and space (Patrick et al. 2021)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from fvhydra.metrics.functional.parity import Parity
from fvhydra.metrics.models.images import Frames, to_tensor
from fvhydra.metrics.models.synchformer.aggregator import Aggregator
from fvhydra.metrics.models.vit import Attention, Mlp

SIDE = 224
_PATCH = 16
_TUBELET = (2, _PATCH, _PATCH)


class DividedAttention(Attention):
    """Attention within groups of tokens, each of which sees the class token too; the class token sees all."""

    def forward(self, x: torch.Tensor, tubelets: int = 1, over_time: bool = False) -> torch.Tensor:
        """``[n, 1 + tubelets * patches, width]`` to the same; groups are a place in time, or a time with its places."""
        query, key, value = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        first = F.scaled_dot_product_attention(query[:, :, :1], key, value)
        queries, keys, values = (self._grouped(part[:, :, 1:], tubelets, over_time) for part in (query, key, value))
        shared = [part[:, :, None, :1].expand(-1, -1, keys.shape[2], -1, -1) for part in (key, value)]
        keys, values = (torch.cat(pair, 3) for pair in zip(shared, (keys, values), strict=True))
        mixed = F.scaled_dot_product_attention(queries, keys, values)
        rest = (mixed.transpose(2, 3) if over_time else mixed).flatten(2, 3)
        out: torch.Tensor = self.proj(torch.cat([first, rest], 2).transpose(1, 2).flatten(2))
        return out

    @staticmethod
    def _grouped(tokens: torch.Tensor, tubelets: int, over_time: bool) -> torch.Tensor:
        """``[n, heads, tokens, d]`` to ``[n, heads, groups, members, d]``."""
        count, heads, _, size = tokens.shape
        placed = tokens.reshape(count, heads, tubelets, -1, size)
        return placed.transpose(2, 3) if over_time else placed


class DividedBlock(nn.Module):
    """Attention over time, then over space, then an MLP."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = DividedAttention(width, heads)
        self.timeattn = DividedAttention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width, 4 * width)
        self.norm3 = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: torch.Tensor, tubelets: int) -> torch.Tensor:
        """``[n, 1 + tubelets * patches, width]`` to the same."""
        x = x + self.timeattn(self.norm3(x), tubelets, over_time=True)
        x = x + self.attn(self.norm1(x), tubelets)
        out: torch.Tensor = x + self.mlp(self.norm2(x))
        return out


class Patches(nn.Module):
    """Patches of a picture, or tubelets of two, as tokens."""

    def __init__(self, proj: nn.Conv2d | nn.Conv3d) -> None:
        super().__init__()
        self.proj = proj

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[n, 3, (frames,) 224, 224]`` to ``[n, tokens, width]``."""
        out: torch.Tensor = self.proj(x).flatten(2).transpose(1, 2)
        return out


class Pictures(nn.Module):
    """What is seen in segments of sixteen frames. ``patch_embed`` is in the checkpoint and not used."""

    def __init__(self, width: int, depth: int, heads: int, tubelets: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + (SIDE // _PATCH) ** 2, width))
        self.temp_embed = nn.Parameter(torch.zeros(1, tubelets, width))
        self.patch_embed = Patches(nn.Conv2d(3, width, _PATCH, _PATCH))
        self.patch_embed_3d = Patches(nn.Conv3d(3, width, _TUBELET, _TUBELET))
        self.blocks = nn.ModuleList(DividedBlock(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.spatial_attn_agg = Aggregator(width, heads)

    def forward(self, segments: torch.Tensor) -> torch.Tensor:
        """``[n, 3, frames, 224, 224]`` in [-1, 1] to ``[n, tubelets, width]``."""
        tubelets = self.temp_embed.shape[1]
        places = self.pos_embed[:, None, 1:] + self.temp_embed[:, :, None]
        patches = self.patch_embed_3d(segments) + places.flatten(1, 2)
        first = (self.cls_token + self.pos_embed[:, :1]).expand(len(segments), -1, -1)
        x = torch.cat([first, patches], 1)
        for block in self.blocks:
            x = block(x, tubelets)
        frames = self.norm(x[:, 1:]).unflatten(1, (tubelets, -1))
        out: torch.Tensor = self.spatial_attn_agg(frames.flatten(0, 1)).unflatten(0, (-1, tubelets))
        return out


def preprocess(frames: Frames, parity: Parity, device: str = "cpu") -> torch.Tensor:
    """float32 ``[n, 3, 224, 224]``, about within [-1, 1]: the middle of the picture, scaled bicubically.

    The shorter side is 224, with antialiasing. av-benchmark rounds to whole values of 8 bits after scaling; FastVideo
    does not, and rounds sizes otherwise.
    """
    images = to_tensor(frames, device)
    height, width = images.shape[-2:]
    short = min(height, width)
    lengths = [SIDE * length / short for length in (height, width)]
    size = [round(length) if parity == "peer" else int(length) for length in lengths]
    scaled = F.interpolate(images, size=size, mode="bicubic", align_corners=False, antialias=True)
    if parity == "upstream":
        scaled = (scaled * 255).round().clamp(0, 255) / 255
    free = [(length - SIDE) / 2 for length in size]
    top, left = (int(half) if parity == "peer" else round(half) for half in free)
    return (scaled[..., top : top + SIDE, left : left + SIDE] - 0.5) / 0.5
