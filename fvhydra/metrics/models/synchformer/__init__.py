# SPDX-License-Identifier: Apache-2.0
"""Synchformer: by how much sound and picture are apart.

Iashin et al., "Synchformer: efficient synchronization from sparse cues" (2024). Segments of 0.64 s are looked at by a
MotionFormer with divided attention (Patrick et al. 2021) and heard by an AST (Gong et al. 2021); a small transformer
compares fourteen of each and gives logits of 21 offsets, -2 to 2 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from fvhydra.metrics.functional.audio.desync import SEGMENTS
from fvhydra.metrics.models.loading import load_strictly, state_dict
from fvhydra.metrics.models.synchformer.comparison import Comparator
from fvhydra.metrics.models.synchformer.pictures import Pictures
from fvhydra.metrics.models.synchformer.sounds import STEPS, Sounds


@dataclass(frozen=True)
class Size:
    """Of a network: those of the published one are the defaults."""

    width: int = 768
    depth: int = 12
    heads: int = 12
    tubelets: int = 8
    compared_depth: int = 3
    compared_heads: int = 8


class Synchformer(nn.Module):
    """The network, under the names of the checkpoint."""

    def __init__(self, size: Size = Size()) -> None:
        super().__init__()
        self.vfeat_extractor = Pictures(size.width, size.depth, size.heads, size.tubelets)
        self.afeat_extractor = Sounds(size.width, size.depth, size.heads)
        self.vproj = nn.Linear(size.width, size.width)
        self.aproj = nn.Linear(size.width, size.width)
        tokens = SEGMENTS * (size.tubelets + STEPS)
        self.transformer = Comparator(size.width, size.compared_depth, size.compared_heads, tokens)

    def seen(self, segments: torch.Tensor) -> torch.Tensor:
        """Features ``[n, 8, D]`` of prepared frames ``[n, 16, 3, 224, 224]``."""
        out: torch.Tensor = self.vfeat_extractor(segments.transpose(1, 2))
        return out

    def heard(self, segments: torch.Tensor) -> torch.Tensor:
        """Features ``[n, 6, D]`` of spectrograms ``[n, 128, 66]``."""
        out: torch.Tensor = self.afeat_extractor(segments)
        return out

    def forward(self, pictures: torch.Tensor, sounds: torch.Tensor) -> torch.Tensor:
        """Logits ``[n, 21]`` of features of fourteen segments, ``[n, 14, 8, D]`` and ``[n, 14, 6, D]``."""
        out: torch.Tensor = self.transformer(self.vproj(pictures).flatten(1, 2), self.aproj(sounds).flatten(1, 2))
        return out


def load_synchformer(path: Path, device: str) -> Synchformer:
    """The network from a file of weights, its sizes as they are there.

    Raises:
        MediaError: The file has no weights of a Synchformer.
    """
    state = state_dict(path)
    return load_strictly(lambda: Synchformer(_size(state)), state, path).to(device)


def _size(state: dict[str, torch.Tensor]) -> Size:
    _, tubelets, width = state["vfeat_extractor.temp_embed"].shape
    depth, compared = (
        sum(name.startswith(prefix) and name.endswith(suffix) for name in state)
        for prefix, suffix in (("vfeat_extractor.blocks.", ".norm3.weight"), ("transformer.blocks.", ".ln1.weight"))
    )
    return Size(width, depth, width // 64, tubelets, compared)
