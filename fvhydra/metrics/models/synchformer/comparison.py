# SPDX-License-Identifier: Apache-2.0
"""How Synchformer compares what it saw with what it heard."""

from __future__ import annotations

import torch
from torch import nn

from fvhydra.metrics.models.vit import SplitAttention

_OFFSETS = 21


class ProjectedAttention(SplitAttention):
    """With a matrix after it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, heads)
        self.proj = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[n, tokens, width]`` to the same."""
        out: torch.Tensor = self.proj(super().forward(x))
        return out


class ComparatorBlock(nn.Module):
    """Attention and an MLP, each after a LayerNorm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln1 = nn.LayerNorm(width)
        self.ln2 = nn.LayerNorm(width)
        self.attn = ProjectedAttention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[n, tokens, width]`` to the same."""
        x = x + self.attn(self.ln1(x))
        out: torch.Tensor = x + self.mlp(self.ln2(x))
        return out


class Positions(nn.Module):
    """Learned positions, added."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.pos_emb = nn.Parameter(torch.zeros(1, tokens, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[n, tokens, width]`` to the same."""
        return x + self.pos_emb


class Comparator(nn.Module):
    """Both streams in one sequence; the first token gives the offset."""

    def __init__(self, width: int, depth: int, heads: int, tokens: int) -> None:
        super().__init__()
        self.OFF_tok = nn.Parameter(torch.zeros(1, 1, width))
        self.MOD_tok = nn.Parameter(torch.zeros(1, 1, width))
        self.vis_in_lnorm = nn.LayerNorm(width)
        self.aud_in_lnorm = nn.LayerNorm(width)
        self.pos_emb_cfg = Positions(2 + tokens, width)
        self.blocks = nn.Sequential(*(ComparatorBlock(width, heads) for _ in range(depth)))
        self.ln_f = nn.LayerNorm(width)
        self.off_head = nn.Linear(width, _OFFSETS)

    def forward(self, pictures: torch.Tensor, sounds: torch.Tensor) -> torch.Tensor:
        """``[n, 112, width]`` and ``[n, 84, width]`` to ``[n, 21]``."""
        off, mod = (token.expand(len(pictures), -1, -1) for token in (self.OFF_tok, self.MOD_tok))
        x = torch.cat([off, self.vis_in_lnorm(pictures), mod, self.aud_in_lnorm(sounds)], 1)
        out: torch.Tensor = self.off_head(self.ln_f(self.blocks(self.pos_emb_cfg(x)))[:, 0])
        return out
