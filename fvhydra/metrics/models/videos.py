# SPDX-License-Identifier: Apache-2.0
"""Networks that turn a whole clip into one row of features, for the Fréchet video distance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from transformers import CLIPImageProcessorPil, VideoMAEModel

from fvhydra.metrics.base import Shared
from fvhydra.metrics.models.clip import load_clip
from fvhydra.metrics.models.images import IMAGENET, Frames, normalise, to_tensor
from fvhydra.metrics.models.loading import pretrained, torchscript
from fvhydra.metrics.models.weights import I3D

_SIDE = 224


@dataclass(frozen=True)
class VideoEncoder:
    """A network of clips, in two steps, so that only small pictures are kept of a clip that arrives in chunks.

    Attributes:
        preprocess: uint8 ``[n, H, W, 3]`` to float32 ``[n, 3, 224, 224]``, on the CPU; any part of a clip.
        encode: float32 ``[T, 3, 224, 224]``, all of a clip, to float32 ``[D]``.
        fewest: Frames that it needs.
        most: Frames that it can take, None where any number is fine.
    """

    preprocess: Callable[[Frames], torch.Tensor]
    encode: Callable[[torch.Tensor], NDArray[np.float32]]
    fewest: int = 1
    most: int | None = None

    def takes(self, frames: int) -> bool:
        """Whether a clip of so many frames can be encoded."""
        return self.fewest <= frames <= (self.most or frames)

    @property
    def frames(self) -> str:
        """How many frames it takes, in words."""
        return f"{self.fewest} frames" if self.fewest == self.most else f"{self.fewest} frames or more"


def i3d(path: Path, device: str, networks: Shared) -> VideoEncoder:
    """The I3D of FVD (Carreira and Zisserman 2017, Kinetics-400), as StyleGAN-V published it: 400 logits.

    Frames are squeezed to 224x224 (bilinear, no antialiasing) whatever their shape.
    """
    network = networks("i3d", lambda: torchscript(path, I3D, device))

    def preprocess(frames: Frames) -> torch.Tensor:
        return _squeezed(2 * to_tensor(frames) - 1)

    @torch.inference_mode()
    def encode(clip: torch.Tensor) -> NDArray[np.float32]:
        batch = clip.to(device).transpose(0, 1)[None]
        logits = network(batch, rescale=False, resize=False, return_features=True)
        return _row(logits)

    return VideoEncoder(preprocess, encode, fewest=10)


def clip(folder: Path, device: str, networks: Shared) -> VideoEncoder:
    """CLIP's projected features of each frame, not normalised, and their mean; frames through Pillow, as CLIP's own."""
    tower = networks("clip_b32", lambda: load_clip(folder, device))
    processor = CLIPImageProcessorPil.from_pretrained(folder, local_files_only=True)

    def preprocess(frames: Frames) -> torch.Tensor:
        pixels: torch.Tensor = processor(images=list(frames), return_tensors="pt")["pixel_values"]
        return pixels

    @torch.inference_mode()
    def encode(clip: torch.Tensor) -> NDArray[np.float32]:
        return _row(tower(pixel_values=clip.to(device)).image_embeds.mean(0))

    return VideoEncoder(preprocess, encode)


def videomae(folder: Path, device: str, networks: Shared) -> VideoEncoder:
    """VideoMAE (Tong et al. 2022): the mean over its tokens. It takes as many frames as it was trained on: 16."""
    model = networks("videomae_base", lambda: pretrained(VideoMAEModel, folder, device))

    def preprocess(frames: Frames) -> torch.Tensor:
        return normalise(_squeezed(to_tensor(frames)), IMAGENET)

    @torch.inference_mode()
    def encode(clip: torch.Tensor) -> NDArray[np.float32]:
        return _row(model(pixel_values=clip.to(device)[None]).last_hidden_state.mean(1))

    return VideoEncoder(preprocess, encode, fewest=model.config.num_frames, most=model.config.num_frames)


def _squeezed(images: torch.Tensor) -> torch.Tensor:
    if images.shape[-2:] == (_SIDE, _SIDE):
        return images
    return F.interpolate(images, size=(_SIDE, _SIDE), mode="bilinear", align_corners=False)


def _row(features: torch.Tensor) -> NDArray[np.float32]:
    return np.asarray(features.flatten().cpu(), np.float32)
