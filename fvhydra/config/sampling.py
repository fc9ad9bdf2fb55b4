# SPDX-License-Identifier: Apache-2.0
"""``sampling``: how a model is sampled in a tier (``conf/sampling/<model>/<tier>.yaml``)."""

from __future__ import annotations

from omegaconf import MISSING
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import NonNegativeFloat, Positive, PositiveFloat, Seed, doc


@dataclass
class Sampling:
    """Settings of one generation. Null leaves a value to the library's own default."""

    seed: Seed = doc("Default of the root key seed", MISSING)
    num_inference_steps: Positive = doc("Denoising steps", MISSING)
    guidance_scale: NonNegativeFloat | None = doc("Classifier-free guidance", None)
    negative_prompt: str | None = doc("What to stay away from", None)
    height: Positive | None = doc("Pixels", None)
    width: Positive | None = doc("Pixels", None)
    num_frames: Positive | None = doc("Frames of the clip", None)
    fps: Positive = doc("Frames a second", 24)
    audio_s: PositiveFloat | None = doc("Seconds of audio (text to audio)", None)
    flow_shift: PositiveFloat | None = doc("Timestep shift of flow-matching schedulers", None)
    vae_tiling: bool = doc("Decode in tiles (less memory, other rounding)", False)
    num_gpus: Positive = doc("GPUs that one case runs on", 1)
    sp_size: Positive = doc("Sequence-parallel size among them", 1)
