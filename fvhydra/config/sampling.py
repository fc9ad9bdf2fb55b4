# SPDX-License-Identifier: Apache-2.0
"""``sampling``: how a model is sampled in a tier (``conf/sampling/<model>/<tier>.yaml``)."""

from __future__ import annotations

from typing import Annotated, Any

from omegaconf import MISSING
from pydantic import Field
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import Gpus, NonNegativeFloat, Pixels, Positive, PositiveFloat, Seed, doc


@dataclass
class Sampling:
    """Settings of one generation. Null leaves a value to the library's own default."""

    seed: Seed = doc("Default of the root key seed", MISSING)
    num_inference_steps: Annotated[Positive, Field(le=10_000)] = doc("Denoising steps", MISSING)
    guidance_scale: NonNegativeFloat | None = doc("Classifier-free guidance", None)
    negative_prompt: str | None = doc("What to stay away from", None)
    height: Pixels | None = doc("Pixels", None)
    width: Pixels | None = doc("Pixels", None)
    num_frames: Annotated[Positive, Field(le=100_000)] | None = doc("Frames of the clip", None)
    fps: Annotated[Positive, Field(le=1_000)] = doc("Frames a second", 24)
    audio_s: Annotated[PositiveFloat, Field(le=3_600)] | None = doc("Seconds of audio (text to audio)", None)
    flow_shift: PositiveFloat | None = doc("Timestep shift of flow-matching schedulers", None)
    vae_tiling: bool = doc("Decode in tiles (less memory, other rounding)", False)
    preset: str | None = doc("The preset of the model (model.presets) that these settings are those of", None)
    stage_overrides: dict[str, Any] = doc(
        "Settings of single stages, as its preset's stage_schemas allow", factory=dict
    )
    num_gpus: Gpus = doc("GPUs that one case runs on", 1)
    sp_size: Gpus = doc("Sequence-parallel size among them", 1)
