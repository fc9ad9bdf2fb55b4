# SPDX-License-Identifier: Apache-2.0
"""What Synchformer hears: an AST (Gong et al. 2021) and its spectrogram."""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import nn

from fvhydra.metrics.models.sound import htk_mel_bank, power_spectrogram
from fvhydra.metrics.models.synchformer.aggregator import Aggregator
from fvhydra.metrics.models.vit import SplitAttention

RATE_HZ = 16_000
_MELS, _FFT, _WINDOW, _HOP = 128, 1024, 400, 160
_MEAN, _STD = -4.2677393, 4.5689974
_FRAMES = 66
_PATCH, _STRIDE = 16, 10
_BANDS, STEPS = ((length - _PATCH) // _STRIDE + 1 for length in (_MELS, _FRAMES))
"""Patches of a segment: by frequency, and by time."""


class Dense(nn.Module):
    """A matrix with a name of its own."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[..., inputs]`` to ``[..., outputs]``."""
        out: torch.Tensor = self.dense(x)
        return out


class LayerAttention(nn.Module):
    """Attention and the matrix after it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = SplitAttention(width, heads)
        self.output = Dense(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[n, tokens, width]`` to the same."""
        out: torch.Tensor = self.output(self.attention(x))
        return out


class Layer(nn.Module):
    """A layer of the AST, under the names of transformers."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = LayerAttention(width, heads)
        self.intermediate = Dense(width, 4 * width)
        self.output = Dense(4 * width, width)
        self.layernorm_before = nn.LayerNorm(width, eps=1e-12)
        self.layernorm_after = nn.LayerNorm(width, eps=1e-12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[n, tokens, width]`` to the same."""
        x = x + self.attention(self.layernorm_before(x))
        out: torch.Tensor = x + self.output(F.gelu(self.intermediate(self.layernorm_after(x))))
        return out


class Projection(nn.Module):
    """Overlapping patches of a spectrogram."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.projection = nn.Conv2d(1, width, _PATCH, _STRIDE)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """``[n, 128, 66]`` to ``[n, 72, width]``, a band after the other."""
        out: torch.Tensor = self.projection(mel[:, None]).flatten(2).transpose(1, 2)
        return out


class Embeddings(nn.Module):
    """The patches, with two class tokens before them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.distillation_token = nn.Parameter(torch.zeros(1, 1, width))
        self.position_embeddings = nn.Parameter(torch.zeros(1, 2 + _BANDS * STEPS, width))
        self.patch_embeddings = Projection(width)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """``[n, 128, 66]`` to ``[n, 74, width]``."""
        patches = self.patch_embeddings(mel)
        tokens = torch.cat([self.cls_token, self.distillation_token], 1).expand(len(mel), -1, -1)
        return torch.cat([tokens, patches], 1) + self.position_embeddings


class Encoder(nn.Module):
    """The layers."""

    def __init__(self, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.layer = nn.Sequential(*(Layer(width, heads) for _ in range(depth)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[n, tokens, width]`` to the same."""
        out: torch.Tensor = self.layer(x)
        return out


class Ast(nn.Module):
    """The AST without a head."""

    def __init__(self, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.embeddings = Embeddings(width)
        self.encoder = Encoder(width, depth, heads)
        self.layernorm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """``[n, 128, 66]`` to ``[n, 74, width]``."""
        out: torch.Tensor = self.layernorm(self.encoder(self.embeddings(mel)))
        return out


class Sounds(nn.Module):
    """What is heard in segments of 0.64 s."""

    def __init__(self, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.ast = Ast(width, depth, heads)
        self.freq_attn_agg = Aggregator(width, heads)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """``[n, 128, 66]`` of :func:`mel_spectrograms` to ``[n, 6, width]``."""
        patches = self.ast(mel)[:, 2:].unflatten(1, (_BANDS, STEPS)).transpose(1, 2)
        out: torch.Tensor = self.freq_attn_agg(patches.flatten(0, 1)).unflatten(0, (-1, STEPS))
        return out


def mel_spectrograms(segments: torch.Tensor, fill: float | None = 0.0) -> torch.Tensor:
    """``[n, 128, 66]`` of segments ``[n, 10240]`` at 16 kHz.

    Args:
        segments: float, in [-1, 1].
        fill: What stands for the 66th frame, which a segment is too short for, before normalisation: 0 in av-benchmark;
            None is FastVideo's least value of all segments.
    """
    window = torch.hann_window(_WINDOW, dtype=segments.dtype, device=segments.device)
    power = power_spectrogram(segments, _FFT, window, _HOP)
    logs = (mel_bank().to(power).T @ power + 1e-6).log()
    value = float(logs.min()) if fill is None else fill
    padded = F.pad(logs, (0, _FRAMES - logs.shape[-1]), value=value)
    return (padded - _MEAN) / (2 * _STD)


@cache
def mel_bank() -> torch.Tensor:
    """float64 ``[513, 128]``."""
    return htk_mel_bank(_MELS, _FFT, RATE_HZ)
