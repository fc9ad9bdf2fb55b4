# SPDX-License-Identifier: Apache-2.0
"""PaSST: which of AudioSet's 527 classes a recording has, and the features that this is seen in.

Koutini et al., "Efficient training of audio transformers with patchout" (2022): DeiT-B/16 with two class tokens on a
spectrogram, its positions learned apart for frequency and time. The checkpoint is ``passt_s_swa_p16_128_ap476``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fvhydra.metrics.models.loading import load_strictly, state_dict
from fvhydra.metrics.models.sound import kaldi_mel_bank, power_spectrogram
from fvhydra.metrics.models.vit import Block

RATE_HZ = 32_000
_MELS, _FFT, _WINDOW, _HOP = 128, 1024, 800, 320
_HIGHEST_HZ = 15_000
_PATCH, _STRIDE = 16, 10

LEAST_SAMPLES = _HOP * (_PATCH - 1) + 1
"""A patch is 16 frames wide."""

MOST_SAMPLES = 10 * RATE_HZ
"""There are positions for ten seconds."""


@dataclass(frozen=True)
class Size:
    """Of a network: those of the published one are the defaults."""

    width: int = 768
    depth: int = 12
    heads: int = 12
    classes: int = 527
    columns: int = 99


class PatchEmbedding(nn.Module):
    """Overlapping patches of a spectrogram."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(1, width, _PATCH, _STRIDE)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[n, 1, mels, frames]`` to ``[n, width, rows, columns]``."""
        out: torch.Tensor = self.proj(x)
        return out


class Passt(nn.Module):
    """The network. ``head_dist`` is in the checkpoint and used only in training."""

    def __init__(self, size: Size = Size()) -> None:
        super().__init__()
        self.classes = size.classes
        rows = (_MELS - _PATCH) // _STRIDE + 1
        self.cls_token = nn.Parameter(torch.zeros(1, 1, size.width))
        self.dist_token = nn.Parameter(torch.zeros(1, 1, size.width))
        self.new_pos_embed = nn.Parameter(torch.zeros(1, 2, size.width))
        self.freq_new_pos_embed = nn.Parameter(torch.zeros(1, size.width, rows, 1))
        self.time_new_pos_embed = nn.Parameter(torch.zeros(1, size.width, 1, size.columns))
        self.patch_embed = PatchEmbedding(size.width)
        self.blocks = nn.Sequential(*(Block(size.width, size.heads) for _ in range(size.depth)))
        self.norm = nn.LayerNorm(size.width, eps=1e-6)
        self.head = nn.Sequential(nn.LayerNorm(size.width), nn.Linear(size.width, size.classes))
        self.head_dist = nn.Linear(size.width, size.classes)

    def forward(self, mel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits ``[n, classes]`` and features ``[n, width]`` of :func:`mel_spectrogram`, ``[n, 1, 128, frames]``."""
        patches = self.patch_embed(mel)
        patches = patches + self.time_new_pos_embed[..., : patches.shape[-1]] + self.freq_new_pos_embed
        tokens = torch.cat([self.cls_token, self.dist_token], 1) + self.new_pos_embed
        x = torch.cat([tokens.expand(len(mel), -1, -1), patches.flatten(2).transpose(1, 2)], 1)
        features = self.norm(self.blocks(x))[:, :2].mean(1)
        return self.head(features), features


def mel_spectrogram(samples: torch.Tensor) -> torch.Tensor:
    """``[n, 128, frames]`` of ``[n, N]`` at 32 kHz, about within -1.4 and 2.5; 1000 frames of 10 s."""
    emphasised = samples[:, 1:] - 0.97 * samples[:, :-1]
    window = torch.hann_window(_WINDOW, periodic=False, dtype=samples.dtype, device=samples.device)
    power = power_spectrogram(emphasised, _FFT, window, _HOP)
    return (((mel_bank().to(power) @ power) + 1e-5).log() + 4.5) / 5.0


@cache
def mel_bank() -> torch.Tensor:
    """float64 ``[128, 513]``: the upper end is that of training, in the middle of its random changes."""
    return kaldi_mel_bank(_MELS, _FFT, RATE_HZ, 0.0, _HIGHEST_HZ)


def load_passt(path: Path, device: str) -> Passt:
    """The network from a file of weights, its sizes as they are there.

    Raises:
        MediaError: The file has no weights of a PaSST.
    """
    state = state_dict(path, wrapper="model")
    return load_strictly(lambda: Passt(_size(state)), state, path).to(device)


def _size(state: dict[str, torch.Tensor]) -> Size:
    width = state["cls_token"].shape[-1]
    depth = sum(name.startswith("blocks.") and name.endswith(".norm1.weight") for name in state)
    columns = state["time_new_pos_embed"].shape[-1]
    return Size(width, depth, width // 64, len(state["head.1.bias"]), columns)


@torch.inference_mode()
def outputs(network: Passt, samples: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits ``[classes]`` and features ``[width]`` of a recording.

    Args:
        network: From :func:`load_passt`.
        samples: float32 ``[N]`` at 32 kHz, of 0.15 to 10 seconds.
    """
    mel = mel_spectrogram(torch.from_numpy(samples)[None].to(network.cls_token.device))
    logits, features = network(mel[:, None])
    return np.asarray(logits[0].cpu()), np.asarray(features[0].cpu())
