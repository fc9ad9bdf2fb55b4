# SPDX-License-Identifier: Apache-2.0
"""LPIPS: the distance of two pictures in the features of AlexNet, with weights fitted to human judgements.

Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric" (2018), version 0.1 with the
``alex`` network; equal to the package ``lpips`` 0.1.4.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from fvhydra.metrics.models.images import Frames, batches, to_tensor
from fvhydra.metrics.models.loading import state_dict

CHANNELS = (64, 192, 384, 256, 256)
"""Of the five stages, after each ReLU."""

_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_BYTES_PER_PIXEL = 140
"""Of a pair of frames and its features, measured."""


class Lpips(nn.Module):
    """AlexNet's convolutions and five 1x1 heads, under the names that their published weights have."""

    def __init__(self) -> None:
        super().__init__()
        first, second, third, fourth, fifth = CHANNELS
        self.features = nn.ModuleDict(
            {
                "0": nn.Conv2d(3, first, 11, stride=4, padding=2),
                "3": nn.Conv2d(first, second, 5, padding=2),
                "6": nn.Conv2d(second, third, 3, padding=1),
                "8": nn.Conv2d(third, fourth, 3, padding=1),
                "10": nn.Conv2d(fourth, fifth, 3, padding=1),
            }
        )
        self.heads = nn.ModuleList(nn.Conv2d(channels, 1, 1, bias=False) for channels in CHANNELS)

    def forward(self, reference: torch.Tensor, generated: torch.Tensor) -> torch.Tensor:
        """Distances ``[n]`` of pictures ``[n, 3, H, W]`` in [-1, 1]."""
        pairs = zip(self.heads, self._stages(reference), self._stages(generated), strict=True)
        return sum((head((x - y) ** 2).mean((1, 2, 3)) for head, x, y in pairs), torch.zeros(()))

    def _stages(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Features of each stage, of unit length over the channels."""
        shift, scale = (torch.tensor(values, device=images.device)[:, None, None] for values in (_SHIFT, _SCALE))
        x = (images - shift) / scale
        stages = []
        for name, convolution in self.features.items():
            x = F.relu(convolution(x))
            stages.append(x / (x.norm(dim=1, keepdim=True) + 1e-10))
            if name in ("0", "3"):
                x = F.max_pool2d(x, 3, stride=2)
        return stages


def load_lpips(alexnet: Path, heads: Path, device: str) -> Lpips:
    """The network, from torchvision's AlexNet (its classifier is not used) and the heads of the package ``lpips``."""
    weights = {name: value for name, value in state_dict(alexnet).items() if name.startswith("features.")}
    for name, value in state_dict(heads).items():  # lin0.model.1.weight
        weights[f"heads.{name.removeprefix('lin')[0]}.weight"] = value
    network = Lpips()
    network.load_state_dict(weights)
    return network.to(device).eval()


@torch.inference_mode()
def distances(network: Lpips, reference: Frames, generated: Frames, memory_mb: int) -> NDArray[np.float32]:
    """The distance of each pair of frames, float32 ``[n]``.

    Args:
        network: From :func:`load`.
        reference: uint8 ``[n, H, W, 3]``.
        generated: uint8, of the same shape; 31x31 at least.
        memory_mb: About what may be taken for it.
    """
    device = str(next(network.parameters()).device)
    each_mb = reference[0].size / 3 * _BYTES_PER_PIXEL / 2**20
    pairs = zip(batches(reference, each_mb, memory_mb), batches(generated, each_mb, memory_mb), strict=True)
    found = [network(*(2 * to_tensor(frames, device) - 1 for frames in pair)) for pair in pairs]
    return np.asarray(torch.cat(found).cpu(), np.float32)
