# SPDX-License-Identifier: Apache-2.0
"""MUSIQ: how good a picture looks, from patches of it at three scales.

Ke et al., "MUSIQ: Multi-scale image quality transformer" (2021), with the weights for SPAQ that VBench takes. The
modules have the names that the published weights (``musiq_spaq_ckpt-358bb6af.pth``) have.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from fvhydra.metrics.models.images import Frames, batches, to_tensor
from fvhydra.metrics.models.loading import load_strictly, state_dict

_PATCH, _GRID = 32, 10
"""Pixels of a patch's side; cells of a side of the grid in which a patch has its place."""

_LONG_SIDES = (224, 384)
"""Of the two smaller scales; the third is the picture as it is."""

_MOST_SIDE = 512
"""Larger pictures are reduced by VBench."""

_MASKED = -1000.0
_PATCH_BYTES = 300_000
"""Of a patch in the convolutions, measured."""


class Size(NamedTuple):
    """The dimensions of a network; by default those of the published weights."""

    stem: int = 64
    width: int = 384
    mlp: int = 1152
    heads: int = 6
    layers: int = 14


class Patches(NamedTuple):
    """All patches of some pictures.

    Attributes:
        pixels: ``[n, tokens, 3 * 32 * 32]``, -1 to 1.
        places: int64 ``[tokens]``, of the 100 cells of the grid.
        scales: int64 ``[tokens]``, 0 to 2.
        present: bool ``[tokens]``; False for those that only fill a scale up.
    """

    pixels: torch.Tensor
    places: torch.Tensor
    scales: torch.Tensor
    present: torch.Tensor


def cut(images: torch.Tensor) -> Patches:
    """The patches of pictures ``[n, 3, H, W]``, 0 to 1: of both smaller scales, filled up to squares, and of all."""
    images = (images - 0.5) * 2
    height, width = images.shape[2:]
    parts = []
    for scale, long_side in enumerate((*_LONG_SIDES, None)):
        shown = images
        if long_side is not None:
            ratio = long_side / max(height, width)
            size = (round(height * ratio), round(width * ratio))
            shown = F.interpolate(images, size=size, mode="bicubic", align_corners=False)
        rows, columns = (-(-side // _PATCH) for side in shown.shape[2:])
        pixels = F.unfold(_pad_same(shown, _PATCH, _PATCH), _PATCH, stride=_PATCH).transpose(1, 2)
        down, across = (torch.arange(count) * _GRID // count for count in (rows, columns))
        places = (down[:, None] * _GRID + across).flatten()
        least = math.ceil(long_side / _PATCH) ** 2 if long_side is not None else 0
        filling = max(least - rows * columns, 0)
        present = torch.arange(rows * columns + filling) < rows * columns
        parts.append(
            Patches(F.pad(pixels, (0, 0, 0, filling)), F.pad(places, (0, filling)), present.long() * scale, present)
        )
    return Patches(
        torch.cat([part.pixels for part in parts], 1),
        torch.cat([part.places for part in parts]).to(images.device),
        torch.cat([part.scales for part in parts]).to(images.device),
        torch.cat([part.present for part in parts]).to(images.device),
    )


class _StandardConv(nn.Conv2d):
    """A convolution whose kernels have mean 0 and deviation 1; padded with zeros, an odd one at the end."""

    def __init__(self, inputs: int, outputs: int, side: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, side, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        deviation, mean = torch.std_mean(self.weight, (1, 2, 3), keepdim=True)
        kernels = (self.weight - mean) / (deviation + 1e-5)
        return F.conv2d(_pad_same(x, self.kernel_size[0], self.stride[0]), kernels, stride=self.stride)


class _Block(nn.Module):
    """Three convolutions and a projected shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.gn1 = _StandardConv(width, width, 1), nn.GroupNorm(32, width, eps=1e-4)
        self.conv2, self.gn2 = _StandardConv(width, width, 3), nn.GroupNorm(32, width, eps=1e-4)
        self.conv3, self.gn3 = _StandardConv(width, 4 * width, 1), nn.GroupNorm(32, 4 * width, eps=1e-4)
        self.conv_proj, self.gn_proj = _StandardConv(width, 4 * width, 1), nn.GroupNorm(32, 4 * width, eps=1e-4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.gn1(self.conv1(x)))
        y = F.relu(self.gn2(self.conv2(y)))
        return F.relu(self.gn3(self.conv3(y)) + self.gn_proj(self.conv_proj(x)))


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        likeness = query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5
        likeness = likeness.masked_fill(~(present[:, None] & present), _MASKED)
        mixed: torch.Tensor = self.out((likeness.softmax(-1) @ value).transpose(1, 2).flatten(2))
        return mixed


class _Mlp(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class _Layer(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(size.width, eps=1e-6)
        self.attention = _Attention(size.width, size.heads)
        self.norm2 = nn.LayerNorm(size.width, eps=1e-6)
        self.mlp = _Mlp(size.width, size.mlp)

    def forward(self, x: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm1(x), present)
        out: torch.Tensor = x + self.mlp(self.norm2(x))
        return out


class _Places(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.position_emb = nn.Parameter(torch.zeros(1, _GRID**2, width))

    def forward(self, x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        return x + self.position_emb[0, places]


class _Scales(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale_emb = nn.Parameter(torch.zeros(len(_LONG_SIDES) + 1, width))

    def forward(self, x: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
        return x + self.scale_emb[scales]


class _Encoder(nn.Module):
    """Transformer layers on the patches and a class token, which comes first."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.cls = nn.Parameter(torch.zeros(1, 1, size.width))
        self.posembed_input, self.scaleembed_input = _Places(size.width), _Scales(size.width)
        self.transformer = nn.ModuleDict({f"encoderblock_{layer}": _Layer(size) for layer in range(size.layers)})
        self.encoder_norm = nn.LayerNorm(size.width, eps=1e-6)

    def forward(self, x: torch.Tensor, patches: Patches) -> torch.Tensor:
        x = self.scaleembed_input(self.posembed_input(x, patches.places), patches.scales)
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1)
        present = F.pad(patches.present, (1, 0), value=True)
        for layer in self.transformer.values():
            x = layer(x, present)
        out: torch.Tensor = self.encoder_norm(x)
        return out


class Musiq(nn.Module):
    """The network."""

    def __init__(self, size: Size = Size()) -> None:  # noqa: B008  immutable
        super().__init__()
        self.conv_root = _StandardConv(3, size.stem, 7, 2)
        self.gn_root = nn.GroupNorm(32, size.stem, eps=1e-6)
        self.block1 = _Block(size.stem)
        self.embedding = nn.Linear(4 * size.stem * (_PATCH // 4) ** 2, size.width)
        self.transformer_encoder = _Encoder(size)
        self.head = nn.Linear(size.width, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The mark of each picture ``[n, 3, H, W]``, 0 to 1: ``[n, 1]``, about 0 to 100."""
        patches = cut(images)
        x = F.relu(self.gn_root(self.conv_root(patches.pixels.reshape(-1, 3, _PATCH, _PATCH))))
        x = self.block1(F.max_pool2d(_pad_same(x, 3, 2), 3, stride=2))
        x = self.embedding(x.permute(0, 2, 3, 1).flatten(1).unflatten(0, (len(images), -1)))
        mark: torch.Tensor = self.head(self.transformer_encoder(x, patches)[:, 0])
        return mark


def _pad_same(x: torch.Tensor, side: int, stride: int) -> torch.Tensor:
    """Zeros around ``[n, C, H, W]``, so that a window of ``side`` gives ``ceil(H / stride)``; an odd one at the end."""
    rows, columns = (max((-(-length // stride) - 1) * stride + side - length, 0) for length in x.shape[2:])
    return F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))


def load_musiq(path: Path, device: str) -> Musiq:
    """The network of a file of weights, whose names may begin with ``module.``.

    Raises:
        MediaError: The file is damaged, or of another network.
    """
    state = {name.removeprefix("module."): value for name, value in state_dict(path).items()}

    def make() -> Musiq:
        mlp, width = state["transformer_encoder.transformer.encoderblock_0.mlp.fc1.weight"].shape
        layers = sum(name.endswith("norm1.bias") for name in state)
        return Musiq(Size(len(state["conv_root.weight"]), width, mlp, width // 64, layers))

    return load_strictly(make, state, path).to(device)


def preprocess(frames: Frames, device: str = "cpu") -> torch.Tensor:
    """float32 ``[n, 3, h, w]`` in [0, 1]: where a side is longer than 512, reduced to it, bilinear, not antialiased."""
    images = to_tensor(frames, device)
    height, width = images.shape[2:]
    if max(height, width) <= _MOST_SIDE:
        return images
    scale = _MOST_SIDE / max(height, width)
    return F.interpolate(images, size=(int(scale * height), int(scale * width)), mode="bilinear", align_corners=False)


@torch.inference_mode()
def marks(network: Musiq, frames: Frames, memory_mb: int) -> NDArray[np.float32]:
    """The mark of each frame, float32 ``[n]``, about 0 to 100.

    Args:
        network: From :func:`load_musiq`.
        frames: uint8 ``[n, H, W, 3]``, RGB.
        memory_mb: About what a batch may take.
    """
    device = str(next(network.parameters()).device)
    scale = min(_MOST_SIDE / max(frames.shape[1:3]), 1)
    own = math.prod(math.ceil(scale * side / _PATCH) for side in frames.shape[1:3])
    count = own + sum(math.ceil(side / _PATCH) ** 2 for side in _LONG_SIDES)
    parts = batches(frames, count * _PATCH_BYTES / 2**20, memory_mb)
    return np.asarray(torch.cat([network(preprocess(part, device))[:, 0].cpu() for part in parts]), np.float32)
