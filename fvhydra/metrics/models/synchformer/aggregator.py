# SPDX-License-Identifier: Apache-2.0
"""How Synchformer makes one vector of many tokens."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class Aggregator(nn.TransformerEncoderLayer):
    """One layer that gathers tokens in a class token of its own."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(
            width, heads, 4 * width, dropout=0.0, activation=F.gelu, layer_norm_eps=1e-6, batch_first=True,
            norm_first=True,
        )  # fmt: skip
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:  # type: ignore[override]  # no masks here
        """``[n, tokens, width]`` to ``[n, width]``."""
        x = torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], 1)
        return super().forward(x)[:, 0]
