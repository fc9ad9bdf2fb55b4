# SPDX-License-Identifier: Apache-2.0
"""AMT-S: the frame halfway between two others.

Li et al., "AMT: All-pairs multi-field transforms for efficient frame interpolation" (2023), the small model, written
from the paper; its pyramids and decoders are those of IFRNet (Kong et al. 2022). The modules have the names that the
published weights have, whose licence excludes commercial use.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from fvhydra.metrics.models.images import Frames, pad_both_sides, to_tensor
from fvhydra.metrics.models.loading import load_strictly, state_dict
from fvhydra.metrics.models.raft import correlate, grid, look_up

_PYRAMID = (20, 32, 44, 56)
"""Channels at a half, a quarter, an eighth and a sixteenth of the size."""

_SIDE, _FIELDS, _RADIUS, _LEVELS = 20, 3, 3, 4
"""Channels that a residual block refines apart; pairs of flows to merge; window and levels of the correlation."""

_MULTIPLE = 16
_FRAME_BYTES, _VOLUME_BYTES = 830, 11
"""Of a pixel of a pair, and of an entry of the correlation of all pairs with its coarser levels, measured."""


class _Bottleneck(nn.Module):
    """Three convolutions through a quarter of the channels, and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        inner = outputs // 4
        self.conv1 = nn.Conv2d(inputs, inner, 1)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, padding=1)
        self.conv3 = nn.Conv2d(inner, outputs, 1)
        self.norm1, self.norm2, self.norm3 = (nn.InstanceNorm2d(width) for width in (inner, inner, outputs))
        self.downsample: nn.Module = nn.Identity()
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride), nn.InstanceNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        y = F.relu(self.norm2(self.conv2(y)))
        y = F.relu(self.norm3(self.conv3(y)))
        return F.relu(self.downsample(x) + y)


class _Features(nn.Module):
    """What is correlated: features of a picture at an eighth of its size, as in the small model of RAFT."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 7, stride=2, padding=3)
        self.norm1 = nn.InstanceNorm2d(32)
        self.layer1 = nn.Sequential(_Bottleneck(32, 32, 1), _Bottleneck(32, 32, 1))
        self.layer2 = nn.Sequential(_Bottleneck(32, 64, 2), _Bottleneck(64, 64, 1))
        self.layer3 = nn.Sequential(_Bottleneck(64, 96, 2), _Bottleneck(96, 96, 1))
        self.conv2 = nn.Conv2d(96, 84, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.norm1(self.conv1(x)))
        for stage in (self.layer1, self.layer2, self.layer3, self.conv2):
            x = stage(x)
        return x


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, padding=1), nn.PReLU(outputs))


class _Context(nn.Module):
    """Features of a picture at four sizes, the finest first."""

    def __init__(self) -> None:
        super().__init__()
        self.pyramid1, self.pyramid2, self.pyramid3, self.pyramid4 = (
            nn.Sequential(_conv(before, width, 2), _conv(width, width))
            for before, width in zip((3, *_PYRAMID), _PYRAMID, strict=False)
        )

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        found = []
        for stage in (self.pyramid1, self.pyramid2, self.pyramid3, self.pyramid4):
            x = stage(x)
            found.append(x)
        return found


class _Residual(nn.Module):
    """Five convolutions, of which the second and fourth work on the last channels only."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv3 = _conv(width, width), _conv(width, width)
        self.conv2, self.conv4 = _conv(_SIDE, _SIDE), _conv(_SIDE, _SIDE)
        self.conv5 = nn.Conv2d(width, width, 3, padding=1)
        self.prelu = nn.PReLU(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        for whole, part in ((self.conv1, self.conv2), (self.conv3, self.conv4)):
            y = whole(y)
            y = torch.cat([y[:, :-_SIDE], part(y[:, -_SIDE:])], 1)
        out: torch.Tensor = self.prelu(x + self.conv5(y))
        return out


class _Decoder(nn.Module):
    """From features and the flows so far to what is at twice the size."""

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        upward = nn.ConvTranspose2d(width, outputs, 4, stride=2, padding=1)
        self.convblock = nn.Sequential(_conv(inputs, width), _Residual(width), upward)

    def forward(self, *parts: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.convblock(torch.cat(parts, 1))
        return out


class _Update(nn.Module):
    """How the correlation around the flows changes features and flows, which are ``scale`` times as large as it."""

    def __init__(self, features: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.convc1 = nn.Conv2d(2 * _LEVELS * (2 * _RADIUS + 1) ** 2, 64, 1)
        self.convf1 = nn.Conv2d(4, 40, 7, padding=3)
        self.convf2 = nn.Conv2d(40, 20, 3, padding=1)
        self.conv = nn.Conv2d(84, 68, 3, padding=1)
        self.gru = self._two(features + 72, 76)
        self.feat_head = self._two(76, features)
        self.flow_head = self._two(76, 4)

    @staticmethod
    def _two(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inputs, 76, 3, padding=1), nn.LeakyReLU(0.1), nn.Conv2d(76, outputs, 3, padding=1)
        )

    def forward(
        self, features: torch.Tensor, flows: torch.Tensor, correlation: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if self.scale > 1:
            features = _resize(features, 1 / self.scale)
        seen = F.leaky_relu(self.convc1(correlation), 0.1)
        moved = F.leaky_relu(self.convf2(F.leaky_relu(self.convf1(flows), 0.1)), 0.1)
        motion = F.leaky_relu(self.conv(torch.cat([seen, moved], 1)), 0.1)
        hidden = self.gru(torch.cat([motion, flows, features], 1))
        change, flow = self.feat_head(hidden), self.flow_head(hidden)
        if self.scale > 1:
            change, flow = _resize(change, self.scale), self.scale * _resize(flow, self.scale)
        return change, flow


class Amt(nn.Module):
    """The network."""

    def __init__(self) -> None:
        super().__init__()
        first, second, third, fourth = _PYRAMID
        self.feat_encoder = _Features()
        self.encoder = _Context()
        self.decoder4 = _Decoder(2 * fourth + 1, 112, 4 + third)
        self.decoder3 = _Decoder(3 * third + 4, 132, 4 + second)
        self.decoder2 = _Decoder(3 * second + 4, 96, 4 + first)
        self.decoder1 = _Decoder(3 * first + 4, 60, 8 * _FIELDS)
        self.update4, self.update3, self.update2 = _Update(third, 1), _Update(second, 2), _Update(first, 4)
        self.comb_block = nn.Sequential(
            nn.Conv2d(3 * _FIELDS, 6 * _FIELDS, 3, padding=1), nn.PReLU(6 * _FIELDS),
            nn.Conv2d(6 * _FIELDS, 3, 3, padding=1),
        )  # fmt: skip

    def forward(self, first: torch.Tensor, second: torch.Tensor, scale: float = 1.0) -> dict[str, torch.Tensor]:
        """The frame in the middle of each pair.

        Args:
            first: float ``[n, 3, H, W]``, 0 to 1, RGB; H and W multiples of ``16 / scale``.
            second: Of the same shape.
            scale: Of the size at which motion is looked for.

        Returns:
            ``frame``: ``[n, 3, H, W]``, 0 to 1. ``flow0_l`` and ``flow1_l``, ``features_l``: the flows to the first and
            to the second frame and what goes with them, of level l; level 0 has three fields, ``[n, 3, 2, H, W]``.
        """
        mean = torch.stack([first, second]).mean((0, 2, 3, 4))[:, None, None, None]
        first, second = first - mean, second - mean
        small = [_resize(images, scale) if scale != 1 else images for images in (first, second)]
        seen = self.feat_encoder(torch.cat(small)).chunk(2)
        volumes = correlate(*seen), correlate(*seen[::-1])
        contexts = list(zip(*map(self.encoder, small), strict=True))

        halfway = torch.full_like(contexts[3][0][:, :1], 0.5)
        out = self.decoder4(*contexts[3], halfway)
        found: dict[str, torch.Tensor] = {}
        for level, update, decoder in (
            (3, self.update4, self.decoder3),
            (2, self.update3, self.decoder2),
            (1, self.update2, self.decoder1),
        ):
            flows, features = out[:, :4], out[:, 4:]
            change, moved = update(features, *_seen(volumes, flows, update.scale))
            flows, features = flows + moved, features + change
            found |= {f"flow0_{level}": flows[:, :2], f"flow1_{level}": flows[:, 2:], f"features_{level - 1}": features}
            before, after = contexts[level - 1]
            out = decoder(features, _warp(before, flows[:, :2]), _warp(after, flows[:, 2:]), flows)
            finer = 2 * _resize(flows, 2)
            if level > 1:
                out = torch.cat([out[:, :4] + finer, out[:, 4:]], 1)
        fields = 2 * _FIELDS
        flow0 = out[:, :fields] + finer[:, :2].repeat(1, _FIELDS, 1, 1)
        flow1 = out[:, fields : 2 * fields] + finer[:, 2:].repeat(1, _FIELDS, 1, 1)
        mask, rest = out[:, 2 * fields : 2 * fields + _FIELDS].sigmoid(), out[:, 2 * fields + _FIELDS :]
        if scale != 1:
            flow0, flow1 = (_resize(flow, 1 / scale) / scale for flow in (flow0, flow1))
            mask, rest = _resize(mask, 1 / scale), _resize(rest, 1 / scale)
        found |= {"flow0_0": flow0.unflatten(1, (_FIELDS, 2)), "flow1_0": flow1.unflatten(1, (_FIELDS, 2))}
        return found | {"frame": self._merged(first, second, found, mask, rest.unflatten(1, (_FIELDS, 3)), mean)}

    def _merged(
        self,
        first: torch.Tensor,
        second: torch.Tensor,
        found: dict[str, torch.Tensor],
        mask: torch.Tensor,
        rest: torch.Tensor,
        mean: torch.Tensor,
    ) -> torch.Tensor:
        """Both frames moved by each pair of flows, blended, corrected, and put together."""
        candidates = []
        for field in range(_FIELDS):
            share = mask[:, field : field + 1]
            moved = share * _warp(first, found["flow0_0"][:, field])
            moved = moved + (1 - share) * _warp(second, found["flow1_0"][:, field])
            candidates.append(moved + mean + rest[:, field])
        merged = torch.stack(candidates).mean(0) + self.comb_block(torch.cat(candidates, 1))
        frame: torch.Tensor = merged.clamp(0, 1)
        return frame


def _seen(
    volumes: tuple[list[torch.Tensor], list[torch.Tensor]], flows: torch.Tensor, scale: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The flows at the size of the correlation, and the correlation where they point.

    The flows begin halfway. Where motion is even, what moves by F from there to the second frame moves by 2 F from the
    first to the second, and likewise back.
    """
    if scale > 1:
        flows = _resize(flows, 1 / scale) / scale
    origin = grid(flows)
    forward = look_up(volumes[0], origin + 2 * flows[:, 2:], _RADIUS)
    backward = look_up(volumes[1], origin + 2 * flows[:, :2], _RADIUS)
    return flows, torch.cat([forward, backward], 1)


def _resize(x: torch.Tensor, scale: float) -> torch.Tensor:
    return F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)


def _warp(x: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """What is found where the flow points, bilinear; beyond the edge, what is at the edge."""
    size = torch.tensor([x.shape[3] - 1, x.shape[2] - 1], device=x.device, dtype=x.dtype)
    at = 2 * (grid(flow) + flow).permute(0, 2, 3, 1) / size - 1
    return F.grid_sample(x, at, mode="bilinear", padding_mode="border", align_corners=True)


def least_side(scale: float) -> int:
    """Rows and columns that a frame has to have; of less, nothing is left at the coarsest level of the correlation."""
    return round((64 - _MULTIPLE) / scale) + 1


def load_amt(path: Path, device: str) -> Amt:
    """The network of a file of weights, bare or as ``state_dict`` of a checkpoint.

    Raises:
        MediaError: The file is damaged, or of another network.
    """
    return load_strictly(Amt, state_dict(path, "state_dict"), path).to(device)


@torch.inference_mode()
def between(
    network: Amt, first: Frames, second: Frames, memory_mb: int, scale: float = 1.0
) -> list[NDArray[np.float32]]:
    """The frame in the middle of each pair, float32 ``[H, W, 3]``, 0 to 1.

    Args:
        network: From :func:`load_amt`.
        first: uint8 ``[n, H, W, 3]``, RGB, no side shorter than :func:`least_side`.
        second: Of the same shape.
        memory_mb: About what a batch may take.
        scale: 1, 0.5 or 0.25, of the size at which motion is looked for.
    """
    height, width = first.shape[1:3]
    positions = height * width * scale**2 / 64
    each_mb = (height * width * _FRAME_BYTES + positions**2 * _VOLUME_BYTES) / 2**20
    size = max(1, int(memory_mb / each_mb))
    device = str(next(network.parameters()).device)
    multiple = round(_MULTIPLE / scale)
    top, left = ((-length % multiple) // 2 for length in (height, width))
    found: list[NDArray[np.float32]] = []
    for start in range(0, len(first), size):
        pair = (pad_both_sides(to_tensor(part[start : start + size], device), multiple) for part in (first, second))
        frames = network(*pair, scale)["frame"][..., top : top + height, left : left + width]
        found.extend(frames.permute(0, 2, 3, 1).cpu().numpy())
    return found
