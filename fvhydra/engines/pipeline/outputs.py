# SPDX-License-Identifier: Apache-2.0
"""From what a pipeline returns to arrays in the one layout that the rest of fvhydra knows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fvhydra.core.errors import InfrastructureError
from fvhydra.engines.base import GeneratedMedia

FRAMES_BEFORE_CHANNELS = ("CogVideoXPipeline", "CogVideoXImageToVideoPipeline")
"""Pipelines whose latents are ``[B, T, C, H, W]``, with padding frames in front."""


def latent(pipe: Any, output: Any, num_frames: int | None) -> GeneratedMedia:
    """The pre-VAE latent of a call with ``output_type="latent"``, unpacked, as the library returns it.

    LTX-2 gives it in its VAE's space (denormalised), the other families in the sampler's.

    Args:
        pipe: The pipeline.
        output: What its call returned.
        num_frames: Frames that were asked for; tells padding from content.

    Returns:
        Media with ``latent`` (``[B, C, T, H, W]`` or ``[B, C, T]``) and ``latent_dtype``.

    Raises:
        InfrastructureError: The pipeline returned something else, packed tokens for example.
    """
    tensor = output["audios"] if "audios" in output else output["frames"]
    if type(pipe).__name__ in FRAMES_BEFORE_CHANNELS:
        kept = tensor.shape[1] if num_frames is None else (num_frames - 1) // pipe.vae_scale_factor_temporal + 1
        tensor = tensor[:, -kept:].transpose(1, 2)
    rank = 3 if "audios" in output else 5
    if tensor.ndim != rank:
        raise InfrastructureError(
            f"{type(pipe).__name__} returned a latent of shape {list(tensor.shape)}, not one of {rank} dimensions."
        )
    return GeneratedMedia(latent=tensor.float().cpu().contiguous().numpy(), latent_dtype=str(tensor.dtype))


def decoded(pipe: Any, output: Any, fps: float) -> GeneratedMedia:
    """Frames and audio of a call with ``output_type="np"``.

    Returns:
        Media with what there is of ``frames``, ``fps``, ``audio`` and ``audio_rate``.
    """
    media = GeneratedMedia()
    if "frames" in output:
        media.frames, media.fps = to_uint8(output["frames"][0]), float(fps)
    sound = output.get("audios", output.get("audio"))
    if sound is not None:
        media.audio = np.clip(_float32(sound)[0], -1, 1)
        vocoder = getattr(pipe, "vocoder", None)
        media.audio_rate = int(vocoder.config.output_sampling_rate if vocoder is not None else pipe.vae.sampling_rate)
    return media


def to_uint8(frames: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Frames in [0, 1] as bytes, rounded to the nearest; frame by frame, so that a clip is never held a third time."""
    result = np.empty(frames.shape, np.uint8)
    for index, frame in enumerate(frames):
        result[index] = np.rint(np.clip(frame, 0, 1) * 255)
    return result


def _float32(value: Any) -> NDArray[np.float32]:
    if isinstance(value, torch.Tensor):
        value = value.float().cpu().numpy()
    return np.asarray(value, np.float32)
