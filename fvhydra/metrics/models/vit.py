# SPDX-License-Identifier: Apache-2.0
"""The block of vision transformers, under the names that most published checkpoints have (those of timm)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class Attention(nn.Module):
    """Self-attention (Vaswani et al. 2017) whose queries, keys and values come of one matrix."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[n, tokens, width]`` to the same."""
        query, key, value = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value)
        out: torch.Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return out


class SplitAttention(nn.Module):
    """Self-attention with a matrix each for queries, keys and values, and none after it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[n, tokens, width]`` to the same."""
        parts = (matrix(x).unflatten(-1, (self.heads, -1)) for matrix in (self.query, self.key, self.value))
        mixed = F.scaled_dot_product_attention(*(part.transpose(1, 2) for part in parts))
        return mixed.transpose(1, 2).flatten(2)


class Mlp(nn.Module):
    """Two layers with a GELU (the exact one) between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[..., width]`` to the same."""
        out: torch.Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class Block(nn.Module):
    """Attention and an MLP four times as wide, each after a LayerNorm and added to what it was given."""

    def __init__(self, width: int, heads: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.mlp = Mlp(width, 4 * width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[n, tokens, width]`` to the same."""
        x = x + self.attn(self.norm1(x))
        out: torch.Tensor = x + self.mlp(self.norm2(x))
        return out
