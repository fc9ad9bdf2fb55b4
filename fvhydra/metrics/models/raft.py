# SPDX-License-Identifier: Apache-2.0
"""RAFT: the optical flow between two frames, refined step by step from the correlation of all pairs of pixels.

Teed and Deng, "RAFT: Recurrent all-pairs field transforms for optical flow" (2020), the large model. The modules have
the names that the published weights (``raft-things.pth``) have.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from fvhydra.metrics.models.images import Frames, pad_both_sides
from fvhydra.metrics.models.loading import load_strictly, state_dict

ITERATIONS = 20
"""Refinements, as VBench has it."""

LEAST_SIDE = 57
"""Pixels; of less, nothing is left at the coarsest level of the correlation."""

_LEVELS, _RADIUS, _STRIDE = 4, 4, 8
_FRAME_BYTES, _VOLUME_BYTES = 1130, 5.4
"""Of a pixel of a pair in the encoders, measured; of an entry of the correlation at all levels."""


class _Residual(nn.Module):
    """Two convolutions and a shortcut, which is projected where the size changes."""

    def __init__(self, inputs: int, outputs: int, stride: int, batch_norm: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm1, self.norm2 = _norm(outputs, batch_norm), _norm(outputs, batch_norm)
        self.downsample: nn.Module = nn.Identity()
        if stride > 1:
            self.norm3 = _norm(outputs, batch_norm)  # stored under both names
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride), self.norm3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        y = F.relu(self.norm2(self.conv2(y)))
        return F.relu(self.downsample(x) + y)


class _Encoder(nn.Module):
    """Features of a picture at an eighth of its size."""

    def __init__(self, stem: int, outputs: int, batch_norm: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, stem, 7, stride=2, padding=3)
        self.norm1 = _norm(stem, batch_norm)
        widths = (stem, stem, 3 * stem // 2, 2 * stem)
        self.layer1, self.layer2, self.layer3 = (
            nn.Sequential(_Residual(before, width, stride, batch_norm), _Residual(width, width, 1, batch_norm))
            for (before, width), stride in zip(itertools.pairwise(widths), (1, 2, 2), strict=True)
        )
        self.conv2 = nn.Conv2d(widths[-1], outputs, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.norm1(self.conv1(x)))
        for stage in (self.layer1, self.layer2, self.layer3, self.conv2):
            x = stage(x)
        return x


class _Motion(nn.Module):
    """What the correlation around the present flow, and the flow, say about the motion; the flow itself comes last."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.convc1 = nn.Conv2d(_LEVELS * (2 * _RADIUS + 1) ** 2, 2 * hidden, 1)
        self.convc2 = nn.Conv2d(2 * hidden, 3 * hidden // 2, 3, padding=1)
        self.convf1 = nn.Conv2d(2, hidden, 7, padding=3)
        self.convf2 = nn.Conv2d(hidden, hidden // 2, 3, padding=1)
        self.conv = nn.Conv2d(2 * hidden, hidden - 2, 3, padding=1)

    def forward(self, flow: torch.Tensor, correlation: torch.Tensor) -> torch.Tensor:
        seen = F.relu(self.convc2(F.relu(self.convc1(correlation))))
        moved = F.relu(self.convf2(F.relu(self.convf1(flow))))
        return torch.cat([F.relu(self.conv(torch.cat([seen, moved], 1))), flow], 1)


class _Gru(nn.Module):
    """A gated unit with convolutions along the rows, and then along the columns."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.convz1, self.convr1, self.convq1 = (nn.Conv2d(3 * hidden, hidden, (1, 5), padding=(0, 2)) for _ in "zrq")
        self.convz2, self.convr2, self.convq2 = (nn.Conv2d(3 * hidden, hidden, (5, 1), padding=(2, 0)) for _ in "zrq")

    def forward(self, hidden: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        for update, reset, propose in (
            (self.convz1, self.convr1, self.convq1),
            (self.convz2, self.convr2, self.convq2),
        ):
            both = torch.cat([hidden, x], 1)
            gate = torch.sigmoid(update(both))
            proposed = torch.tanh(propose(torch.cat([torch.sigmoid(reset(both)) * hidden, x], 1)))
            hidden = (1 - gate) * hidden + gate * proposed
        return hidden


class _FlowHead(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(hidden, 2 * hidden, 3, padding=1)
        self.conv2 = nn.Conv2d(2 * hidden, 2, 3, padding=1)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        change: torch.Tensor = self.conv2(F.relu(self.conv1(hidden)))
        return change


class _Update(nn.Module):
    """One refinement: the next hidden state, and how the flow changes; ``mask`` weighs neighbours for upsampling."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.encoder = _Motion(hidden)
        self.gru = _Gru(hidden)
        self.flow_head = _FlowHead(hidden)
        self.mask = nn.Sequential(
            nn.Conv2d(hidden, 2 * hidden, 3, padding=1), nn.ReLU(), nn.Conv2d(2 * hidden, 9 * _STRIDE**2, 1)
        )

    def forward(
        self, hidden: torch.Tensor, context: torch.Tensor, correlation: torch.Tensor, flow: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = self.gru(hidden, torch.cat([context, self.encoder(flow, correlation)], 1))
        return hidden, self.flow_head(hidden)


class Raft(nn.Module):
    """The network.

    Args:
        stem: Channels of the first layer; the published weights have 64.
        hidden: Of the state that is refined; the published weights have 128.
    """

    def __init__(self, stem: int = 64, hidden: int = 128) -> None:
        super().__init__()
        self.hidden = hidden
        self.fnet = _Encoder(stem, 2 * hidden, batch_norm=False)
        self.cnet = _Encoder(stem, 2 * hidden, batch_norm=True)
        self.update_block = _Update(hidden)

    def forward(
        self, first: torch.Tensor, second: torch.Tensor, iterations: int = ITERATIONS
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The flow from the first to the second of each pair.

        Args:
            first: float ``[n, 3, H, W]``, 0 to 255, RGB; H and W multiples of 8, 64 at the least.
            second: Of the same shape.
            iterations: Refinements.

        Returns:
            ``[n, 2, H / 8, W / 8]`` in eighths of the resolution, and ``[n, 2, H, W]`` in pixels; x to the right, then
            y down.
        """
        first, second = (2 * (images / 255) - 1 for images in (first, second))
        pyramid = correlate(*self.fnet(torch.cat([first, second])).chunk(2))
        hidden, context = self.cnet(first).split(self.hidden, 1)
        hidden, context = torch.tanh(hidden), F.relu(context)
        origin = grid(hidden)
        flow = torch.zeros_like(origin)
        for _ in range(iterations):
            hidden, change = self.update_block(hidden, context, look_up(pyramid, origin + flow), flow)
            flow = flow + change
        return flow, _upsample(flow, 0.25 * self.update_block.mask(hidden))


def correlate(first: torch.Tensor, second: torch.Tensor) -> list[torch.Tensor]:
    """Products of all pairs of positions of two feature maps ``[n, C, h, w]``, at four levels.

    Returns:
        ``[n h w, 1, h / 2^l, w / 2^l]`` for l from 0 to 3: the second map is averaged, the first keeps its resolution.
    """
    count, channels, height, width = first.shape
    products = first.flatten(2).transpose(1, 2) @ second.flatten(2) / math.sqrt(channels)
    levels = [products.reshape(count * height * width, 1, height, width)]
    while len(levels) < _LEVELS:
        levels.append(F.avg_pool2d(levels[-1], 2, stride=2))
    return levels


def look_up(pyramid: list[torch.Tensor], positions: torch.Tensor, radius: int = _RADIUS) -> torch.Tensor:
    """The correlation in a window around positions ``[n, 2, h, w]`` of the second map, at all levels.

    Returns:
        ``[n, 4 * (2 * radius + 1)^2, h, w]``; within a level the shift in x changes slowest. Outside is 0.
    """
    count, _, height, width = positions.shape
    steps = torch.arange(-radius, radius + 1, device=positions.device, dtype=positions.dtype)
    window = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), -1)  # x, y
    centres = positions.permute(0, 2, 3, 1).reshape(-1, 1, 1, 2)
    found = []
    for level, products in enumerate(pyramid):
        # Pixel x of W is at (2 x + 1) / W - 1. The authors divide by W - 1 with aligned corners: the same, but for a
        # level of one pixel, which is 0 / 0 there.
        size = torch.tensor([products.shape[3], products.shape[2]], device=positions.device, dtype=positions.dtype)
        at = (2 * (centres / 2**level + window) + 1) / size - 1
        found.append(F.grid_sample(products, at, align_corners=False).view(count, height, width, -1))
    return torch.cat(found, -1).permute(0, 3, 1, 2).contiguous()


def grid(like: torch.Tensor) -> torch.Tensor:
    """The position of each pixel, ``[n, 2, h, w]``: x, y."""
    rows, columns = (torch.arange(size, device=like.device, dtype=like.dtype) for size in like.shape[2:])
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y])[None].expand(len(like), -1, -1, -1)


def _upsample(flow: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The flow at full resolution: each pixel is a weighted mean of 3x3 coarse ones, in pixels of the full size."""
    count, _, height, width = flow.shape
    weights = mask.view(count, 1, 9, _STRIDE, _STRIDE, height, width).softmax(2)
    neighbours = F.unfold(_STRIDE * flow, 3, padding=1).view(count, 2, 9, 1, 1, height, width)
    fine = (weights * neighbours).sum(2).permute(0, 1, 4, 2, 5, 3)
    return fine.reshape(count, 2, _STRIDE * height, _STRIDE * width)


def _norm(channels: int, batch_norm: bool) -> nn.Module:
    return nn.BatchNorm2d(channels) if batch_norm else nn.InstanceNorm2d(channels)


def load_raft(path: Path, device: str) -> Raft:
    """The network of a file of weights, whose names begin with ``module.``.

    Raises:
        MediaError: The file is damaged, or of another network.
    """
    state = {name.removeprefix("module."): value for name, value in state_dict(path).items()}
    sizes = ("fnet.conv1.bias", "update_block.gru.convz1.bias")
    return load_strictly(lambda: Raft(*(len(state[name]) for name in sizes)), state, path).to(device)


@torch.inference_mode()
def flows(network: Raft, first: Frames, second: Frames, memory_mb: int) -> Iterator[NDArray[np.float32]]:
    """The flow of each pair of frames, float32 ``[H', W', 2]`` in pixels; H' and W' are the next multiples of 8.

    Frames are padded on both sides with their edges, and the flow of the padding is given too, as VBench takes it.

    Args:
        network: From :func:`load_raft`.
        first: uint8 ``[n, H, W, 3]``, RGB, H and W at least 57.
        second: Of the same shape.
        memory_mb: About what a batch may take.
    """
    pixels = math.prod(-(-side // _STRIDE) * _STRIDE for side in first.shape[1:3])
    each_mb = (pixels * _FRAME_BYTES + (pixels / _STRIDE**2) ** 2 * _VOLUME_BYTES) / 2**20
    size = max(1, int(memory_mb / each_mb))
    device = next(network.parameters()).device
    for start in range(0, len(first), size):
        pair = (
            pad_both_sides(
                torch.from_numpy(np.array(part[start : start + size])).to(device).permute(0, 3, 1, 2).float(), _STRIDE
            )
            for part in (first, second)
        )
        yield from network(*pair)[1].permute(0, 2, 3, 1).cpu().numpy()
