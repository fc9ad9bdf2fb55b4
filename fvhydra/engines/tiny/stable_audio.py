# SPDX-License-Identifier: Apache-2.0
"""Stable Audio Open: stereo at 44.1 kHz, 64 latent channels, 2048 samples for each latent step."""

from __future__ import annotations

from diffusers import (
    AutoencoderOobleck,
    CosineDPMSolverMultistepScheduler,
    StableAudioDiTModel,
    StableAudioPipeline,
    StableAudioProjectionModel,
)

from fvhydra.engines.tiny import encoders, tokenizers
from fvhydra.engines.tiny.weights import initialise

# A standard deviation of about 1, as with the real weights, and a prompt that shows.
BOOST = {"attn2.to_out": 3.0, "proj_out": 0.2, "postprocess_conv": 0.1}


def build_pipeline(seed: int) -> StableAudioPipeline:
    """The pipeline with all its components."""
    tokenizer = tokenizers.t5(128)
    transformer = StableAudioDiTModel(
        # sets the work: all of it is sampled, however short the audio that is asked for (1024, 47.5 s, in the release)
        sample_size=64,
        in_channels=64,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=4,
        num_key_value_attention_heads=2,
        out_channels=64,
        cross_attention_dim=encoders.WIDTH,
        time_proj_dim=32,
        global_states_input_dim=64,
        cross_attention_input_dim=encoders.WIDTH,
    )
    vae = AutoencoderOobleck(
        encoder_hidden_size=8,
        downsampling_ratios=[2, 4, 4, 8, 8],
        channel_multiples=[1, 1, 2, 2, 2],
        decoder_channels=8,
        decoder_input_channels=64,
        audio_channels=2,
        sampling_rate=44100,
    )
    projection = StableAudioProjectionModel(
        text_encoder_dim=encoders.WIDTH, conditioning_dim=encoders.WIDTH, min_value=0, max_value=512
    )
    return StableAudioPipeline(
        tokenizer=tokenizer,
        text_encoder=encoders.t5(len(tokenizer), seed),
        # keeps the waveform inside [-1, 1]
        vae=initialise(vae, "vae", seed, {"decoder.conv2.weight_g": 0.003}),
        transformer=initialise(transformer, "transformer", seed, BOOST),
        scheduler=CosineDPMSolverMultistepScheduler(
            solver_order=2, prediction_type="v_prediction", sigma_data=1.0, sigma_schedule="exponential"
        ),
        projection_model=initialise(projection, "projection_model", seed),
    )
