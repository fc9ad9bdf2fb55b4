# SPDX-License-Identifier: Apache-2.0
"""Wan 2.1 text-to-video and Wan 2.2 TI2V (text-to-video, with or without a first frame)."""

from __future__ import annotations

import math

from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanPipeline, WanTransformer3DModel

from fvhydra.engines.tiny import encoders, tokenizers
from fvhydra.engines.tiny.weights import initialise


def build_t2v(seed: int) -> WanPipeline:
    """Wan 2.1: 16 latent channels, 4 x 8 x 8 compression."""
    vae = AutoencoderKLWan(
        base_dim=4, z_dim=16, dim_mult=[1, 2, 2, 2], num_res_blocks=1, temperal_downsample=[False, True, True]
    )
    return _pipeline(vae, channels=16, flow_shift=3.0, seed=seed)


def build_ti2v(seed: int) -> WanPipeline:
    """Wan 2.2 5B: 48 latent channels, 4 x 16 x 16 compression, one timestep for each latent frame."""
    vae = AutoencoderKLWan(
        base_dim=4,
        z_dim=48,
        in_channels=12,
        out_channels=12,
        is_residual=True,
        patch_size=2,
        latents_mean=[0.1 * math.sin(channel) for channel in range(48)],
        latents_std=[1 + 0.3 * math.cos(channel) for channel in range(48)],
        dim_mult=[1, 2, 2, 2],
        num_res_blocks=1,
        scale_factor_spatial=16,
        scale_factor_temporal=4,
        temperal_downsample=[False, True, True],
    )
    return _pipeline(vae, channels=48, flow_shift=5.0, seed=seed, expand_timesteps=True)


def _pipeline(
    vae: AutoencoderKLWan, channels: int, flow_shift: float, seed: int, expand_timesteps: bool = False
) -> WanPipeline:
    tokenizer = tokenizers.t5(512)
    transformer = WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=4,
        attention_head_dim=12,
        in_channels=channels,
        out_channels=channels,
        text_dim=encoders.WIDTH,
        freq_dim=64,
        ffn_dim=96,
        num_layers=4,
        cross_attn_norm=True,
        qk_norm="rms_norm_across_heads",
        rope_max_seq_len=1024,
    )
    scheduler = UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=flow_shift, num_train_timesteps=1000
    )
    return WanPipeline(
        tokenizer=tokenizer,
        text_encoder=encoders.umt5(len(tokenizer), seed),
        vae=initialise(vae, "vae", seed),
        # a changed word must show in the pixels
        transformer=initialise(transformer, "transformer", seed, {"attn2.to_out": 3.0}),
        scheduler=scheduler,
        expand_timesteps=expand_timesteps,
    )
