# SPDX-License-Identifier: Apache-2.0
"""The stages of a generation, and what a divergence that begins in one comes from as a rule."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """A part of a generation that a traced tensor belongs to.

    Attributes:
        name: The word for it.
        look_at: What a divergence that begins here comes from, as a rule.
        component: Whether it is a component's own arithmetic, which is mended there and not in the pipeline.
    """

    name: str
    look_at: str
    component: bool = False


WEIGHTS = Stage("weights", "the checkpoint, its conversion and strict loading", component=True)
ARGUMENTS = Stage("call arguments", "arguments, presets and defaults of the call")
SCHEDULE = Stage("timestep preparation", "timesteps, sigmas, flow shift, number of steps, prediction type")
GUIDANCE = Stage("guidance", "the scale of guidance, which half it is applied to, further branches of guidance")
STEP = Stage("scheduler step", "the scheduler's class and its arithmetic")
NOISE = Stage("initial noise", "the seed, the generator's device, dtype, the order and the shape of what is drawn")
TOKENS = Stage("tokens", "prompt template, negative prompt, cleaning, truncation, padding, masks")
TEXT = Stage("text encoding", "the text encoder: its arithmetic, dtype and which layer is taken", component=True)
CONDITIONING = Stage("conditioning", "how embeddings are packed, projected, cut and masked")
IMAGE = Stage("image encoding", "image preprocessing, crop, dtype; the encoder", component=True)
IMAGE_LATENT = Stage("image VAE encoding", "image preprocessing, how the VAE samples, latent scaling")
LATENT = Stage("latent preparation", "packing, the first sigma, the extra frame, crops, first-frame latents")
DENOISER = Stage("denoising", "the denoiser: trace its modules, attention backend, dtype, autocast", component=True)
LATENT_OUT = Stage("final latents", "unpacking, per-channel mean and deviation, latent scaling, final slicing")
DECODE = Stage("decoding", "tiling and its overlap, dtype of the VAE, channel order; the decoder", component=True)
OUTPUT = Stage("output", "clamping, rounding, channel order, rate")

_STAGES: tuple[tuple[str, Stage], ...] = (
    (r"\S+ weight ", WEIGHTS),
    (r"noise ", NOISE),
    (r"scheduler\w*\.set_timesteps ", SCHEDULE),
    (r"scheduler\w*\.step in\.timestep", SCHEDULE),
    (r"scheduler\w*\.step in\.model_output", GUIDANCE),
    (r"scheduler\w*\.step in\.sample", LATENT),
    (r"scheduler\w*\.step out", STEP),
    (r"text_encoder\w* in\.", TOKENS),
    (r"text_encoder[\w.]* ", TEXT),
    (r"image_encoder[\w.]* ", IMAGE),
    (r"(audio_)?vae\.encode ", IMAGE_LATENT),
    (r"(audio_)?vae\.decode in", LATENT_OUT),
    (r"(audio_)?vae[\w.]* ", DECODE),
    (r"vocoder[\w.]* ", DECODE),
    (r"(transformer|unet)\w* in\.(hidden_states|audio_hidden_states|sample)", LATENT),
    (r"(transformer|unet)\w* in\.(audio_)?(timestep|sigma)", SCHEDULE),
    (r"(transformer|unet)\w* in\.", CONDITIONING),
    (r"(transformer|unet)[\w.]* ", DENOISER),
    (r"output ", OUTPUT),
)


def stage_of(module: str, tensor: str) -> Stage:
    """The stage of a traced tensor; what is not known belongs to conditioning, where pipelines differ most."""
    row = f"{module} {tensor}"
    return next((stage for pattern, stage in _STAGES if re.match(pattern, row)), CONDITIONING)


def blocks_of(module: str) -> str:
    r"""Regular expression on the blocks of a module's component: what it is made of, and the items of its first lists.

    >>> bool(re.search(blocks_of("text_encoder"), "text_encoder.encoder.block.3"))
    True
    >>> bool(re.search(blocks_of("text_encoder"), "text_encoder.encoder.block.3.layer.0"))
    False
    """
    component = re.escape(module.partition(".")[0])
    return rf"^{component}\.([^.]+|([^.\d]+\.)+\d+)$"


def inside_of(module: str) -> str:
    """Regular expression on a module and all that is inside of it."""
    return rf"^{re.escape(module)}(\.|$)"
