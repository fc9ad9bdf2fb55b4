# SPDX-License-Identifier: Apache-2.0
"""ImageBind: clips and sounds in one space.

Girdhar et al., "ImageBind: one embedding space to bind them all" (2023): a ViT-H/14 on pairs of frames and a ViT-B on
spectrograms. The checkpoint ``imagebind_huge`` has towers for text, depth, heat and motion too, which are not loaded.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from fvhydra.metrics.models.images import CLIP, Frames, normalise, resize_short, to_tensor
from fvhydra.metrics.models.loading import load_strictly, state_dict
from fvhydra.metrics.models.sound import kaldi_filter_bank
from fvhydra.metrics.models.vit import Mlp

_PATCH, _SIDE = 14, 224
_AUDIO_PATCH, _AUDIO_STRIDE = 16, 10
MELS, SPECTRA = 128, 204
_MEAN, _STD = -4.268, 9.138
_TOWERS = ("vision", "audio")


@dataclass(frozen=True)
class Size:
    """Of a network: those of the published one are the defaults."""

    width: int = 1280
    depth: int = 32
    heads: int = 16
    audio_width: int = 768
    audio_depth: int = 12
    audio_heads: int = 12
    out: int = 1024


class ImageBind(nn.Module):
    """The two towers, under the names of the checkpoint."""

    def __init__(self, size: Size = Size()) -> None:
        super().__init__()
        places = (_SIDE // _PATCH) ** 2
        bands, steps = ((length - _AUDIO_PATCH) // _AUDIO_STRIDE + 1 for length in (MELS, SPECTRA))
        self.modality_preprocessors = nn.ModuleDict(
            {
                "vision": Preprocessor(FrameStem(size.width), size.width, places),
                "audio": Preprocessor(SoundStem(size.audio_width), size.audio_width, bands * steps),
            }
        )
        self.modality_trunks = nn.ModuleDict(
            {
                "vision": Trunk(size.width, size.depth, size.heads, pre_norm=True, bias_kv=False),
                "audio": Trunk(size.audio_width, size.audio_depth, size.audio_heads, pre_norm=False, bias_kv=True),
            }
        )
        self.modality_heads = nn.ModuleDict(
            {"vision": _head(size.width, size.out), "audio": _head(size.audio_width, size.out)}
        )
        self.modality_postprocessors = nn.ModuleDict({"audio": nn.Sequential(nn.Identity(), Scale())})

    def seen(self, views: torch.Tensor) -> torch.Tensor:
        """Embeddings ``[n, D]`` of unit length of pairs of frames ``[n, 3, 2, 224, 224]``."""
        return F.normalize(self._tower("vision", views))

    def heard(self, spectrograms: torch.Tensor) -> torch.Tensor:
        """Embeddings ``[n, D]``, about 20 long, of spectrograms ``[n, 1, 128, 204]``."""
        out: torch.Tensor = self.modality_postprocessors["audio"](F.normalize(self._tower("audio", spectrograms)))
        return out

    def _tower(self, name: str, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.modality_heads[name](
            self.modality_trunks[name](self.modality_preprocessors[name](x))[:, 0]
        )
        return out


class FrameStem(nn.Module):
    """Patches of two frames."""

    def __init__(self, width: int) -> None:
        super().__init__()
        sides = (2, _PATCH, _PATCH)
        self.proj = nn.Sequential(nn.Identity(), nn.Conv3d(3, width, sides, sides, bias=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[n, 3, 2, 224, 224]`` to ``[n, 256, width]``."""
        out: torch.Tensor = self.proj(x).flatten(2).transpose(1, 2)
        return out


class SoundStem(nn.Module):
    """Overlapping patches of a spectrogram."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(1, width, _AUDIO_PATCH, _AUDIO_STRIDE, bias=False)
        self.norm_layer = nn.LayerNorm(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[n, 1, 128, 204]`` to ``[n, 228, width]``."""
        out: torch.Tensor = self.norm_layer(self.proj(x).flatten(2).transpose(1, 2))
        return out


class Positions(nn.Module):
    """Learned positions, that of the class token first."""

    def __init__(self, width: int, patches: int) -> None:
        super().__init__()
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + patches, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[n, 1 + patches, width]`` to the same."""
        return x + self.pos_embed


class Preprocessor(nn.Module):
    """Tokens of an input, after a class token."""

    def __init__(self, stem: nn.Module, width: int, patches: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.rgbt_stem = stem
        self.pos_embedding_helper = Positions(width, patches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """An input of the stem to ``[n, 1 + patches, width]``."""
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), self.rgbt_stem(x)], 1)
        out: torch.Tensor = self.pos_embedding_helper(tokens)
        return out


class BindBlock(nn.Module):
    """Attention and an MLP, each after a LayerNorm; with ``bias_kv`` there is one more learned key and value."""

    def __init__(self, width: int, heads: int, bias_kv: bool) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads, add_bias_kv=bias_kv, batch_first=True)
        self.norm_1 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width, 4 * width)
        self.norm_2 = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[n, tokens, width]`` to the same."""
        normed = self.norm_1(x)
        x = x + self.attn(normed, normed, normed, need_weights=False)[0]
        out: torch.Tensor = x + self.mlp(self.norm_2(x))
        return out


class Trunk(nn.Module):
    """The blocks."""

    def __init__(self, width: int, depth: int, heads: int, pre_norm: bool, bias_kv: bool) -> None:
        super().__init__()
        self.pre_transformer_layer = nn.Sequential(*([nn.LayerNorm(width, eps=1e-6)] if pre_norm else []))
        self.blocks = nn.Sequential(*(BindBlock(width, heads, bias_kv) for _ in range(depth)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[n, tokens, width]`` to the same."""
        out: torch.Tensor = self.blocks(self.pre_transformer_layer(x))
        return out


class Scale(nn.Module):
    """A stored factor, by which embeddings of sounds are longer; about 20."""

    log_logit_scale: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("log_logit_scale", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[n, D]`` to the same."""
        return self.log_logit_scale.exp() * x


def _head(width: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(width, eps=1e-6), nn.Identity(), nn.Linear(width, out, bias=False))


def load_imagebind(path: Path, device: str) -> ImageBind:
    """The two towers from a file of weights, their sizes as they are there.

    Raises:
        MediaError: The file has no weights of an ImageBind.
    """
    others = re.compile(r"\w+\.(text|depth|thermal|imu)\.")
    state = {name: value for name, value in state_dict(path).items() if not others.match(name)}
    return load_strictly(lambda: ImageBind(_size(state)), state, path).to(device)


def _size(state: dict[str, torch.Tensor]) -> Size:
    widths = [state[f"modality_preprocessors.{tower}.cls_token"].shape[-1] for tower in _TOWERS]
    depths = [
        sum(name.startswith(f"modality_trunks.{tower}.") and name.endswith(".norm_1.weight") for name in state)
        for tower in _TOWERS
    ]
    out = len(state["modality_heads.vision.2.weight"])
    return Size(widths[0], depths[0], max(1, widths[0] // 80), widths[1], depths[1], max(1, widths[1] // 64), out)


# --------------------------------------------------------------------------------------------- front end
def preprocess(frames: Frames, device: str = "cpu") -> torch.Tensor:
    """float32 ``[n, 3, h, w]``: the shorter side is 224, bilinear without antialiasing; nothing is cropped."""
    return normalise(resize_short(to_tensor(frames, device), _SIDE, "bilinear"), CLIP)


def crops(pairs: torch.Tensor) -> torch.Tensor:
    """Three squares of each pair, from one end of the longer side to the other.

    ``[n, 3, 2, h, w]`` to ``[3 n, 3, 2, 224, 224]``.
    """
    height, width = pairs.shape[-2:]
    starts = [(math.ceil(share * (height - _SIDE) / 2), math.ceil(share * (width - _SIDE) / 2)) for share in range(3)]
    views = [pairs[..., top : top + _SIDE, left : left + _SIDE] for top, left in starts]
    return torch.stack(views, 1).flatten(0, 1)


def filter_bank(samples: torch.Tensor) -> torch.Tensor:
    """``[n, 128, 204]`` of sounds ``[n, N]`` at 16 kHz, about two seconds: cut, or filled with zeros."""
    bank = kaldi_filter_bank(samples - samples.mean(-1, keepdim=True), MELS)[..., :SPECTRA]
    return F.pad(bank, (0, SPECTRA - bank.shape[-1]))


def spectrograms(samples: torch.Tensor) -> torch.Tensor:
    """The same, scaled as the network knows it."""
    return (filter_bank(samples) - _MEAN) / _STD
