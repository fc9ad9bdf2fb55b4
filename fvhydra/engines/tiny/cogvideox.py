# SPDX-License-Identifier: Apache-2.0
"""CogVideoX 1.5 image-to-video: 16 latent channels, 4 x 8 x 8 compression, patches of two latent frames."""

from __future__ import annotations

from diffusers import (
    AutoencoderKLCogVideoX,
    CogVideoXDDIMScheduler,
    CogVideoXImageToVideoPipeline,
    CogVideoXTransformer3DModel,
)

from fvhydra.engines.tiny import encoders, tokenizers
from fvhydra.engines.tiny.weights import initialise


def build_i2v(seed: int) -> CogVideoXImageToVideoPipeline:
    """The pipeline with all its components."""
    tokenizer = tokenizers.t5(226)
    transformer = CogVideoXTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=32,
        in_channels=32,
        out_channels=16,
        time_embed_dim=32,
        ofs_embed_dim=32,
        text_embed_dim=encoders.WIDTH,
        num_layers=3,
        sample_width=300,
        sample_height=300,
        sample_frames=81,
        patch_size=2,
        patch_size_t=2,
        patch_bias=False,
        temporal_compression_ratio=4,
        max_text_seq_length=226,
        use_rotary_positional_embeddings=True,
        use_learned_positional_embeddings=False,
    )
    vae = AutoencoderKLCogVideoX(
        block_out_channels=(8, 8, 16, 16),
        latent_channels=16,
        layers_per_block=1,
        norm_num_groups=4,
        temporal_compression_ratio=4,
        scaling_factor=0.7,
        invert_scale_latents=True,
        sample_height=300,
        sample_width=300,
    )
    scheduler = CogVideoXDDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        set_alpha_to_one=True,
        snr_shift_scale=1.0,
        timestep_spacing="trailing",
    )
    return CogVideoXImageToVideoPipeline(
        tokenizer=tokenizer,
        text_encoder=encoders.t5(len(tokenizer), seed),
        # keeps the pixels inside [-1, 1], where a change is not clipped away
        vae=initialise(vae, "vae", seed, {"decoder.conv_out": 0.2}),
        transformer=initialise(transformer, "transformer", seed),
        scheduler=scheduler,
    )
