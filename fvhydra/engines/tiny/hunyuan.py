# SPDX-License-Identifier: Apache-2.0
"""HunyuanVideo image-to-video: 16 latent channels, 4 x 8 x 8 compression, Llava and CLIP text encoders."""

from __future__ import annotations

from typing import Any

from diffusers import (
    AutoencoderKLHunyuanVideo,
    FlowMatchEulerDiscreteScheduler,
    HunyuanVideoImageToVideoPipeline,
    HunyuanVideoTransformer3DModel,
)
from diffusers.pipelines.hunyuan_video.pipeline_hunyuan_video_image2video import DEFAULT_PROMPT_TEMPLATE
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration
from transformers import PreTrainedTokenizerFast as Tokenizer

from fvhydra.engines.tiny import encoders, tokenizers
from fvhydra.engines.tiny.encoders import WIDTH
from fvhydra.engines.tiny.weights import initialise

IMAGE_SIZE = 336
"""Side of Llava's input; the prompt template counts on its 576 image tokens."""


def build_i2v(seed: int) -> HunyuanVideoImageToVideoPipeline:
    """The variant in which the image's latent replaces the first latent frame."""
    tokenizer = tokenizers.llama3(DEFAULT_PROMPT_TEMPLATE["template"], DEFAULT_PROMPT_TEMPLATE["crop_start"])
    clip = tokenizers.clip()
    transformer = HunyuanVideoTransformer3DModel(
        in_channels=16,
        out_channels=16,
        num_attention_heads=4,
        attention_head_dim=12,
        num_layers=2,
        num_single_layers=2,
        num_refiner_layers=1,
        patch_size=2,
        patch_size_t=1,
        guidance_embeds=True,
        text_embed_dim=WIDTH,
        pooled_projection_dim=WIDTH,
        rope_axes_dim=(4, 4, 4),
        image_condition_type="token_replace",
    )
    vae = AutoencoderKLHunyuanVideo(
        latent_channels=16,
        block_out_channels=(8, 8, 16, 16),
        layers_per_block=1,
        norm_num_groups=4,
        mid_block_add_attention=True,
    )
    return HunyuanVideoImageToVideoPipeline(
        tokenizer=tokenizer,
        text_encoder=initialise(_llava(tokenizer), "text_encoder", seed),
        tokenizer_2=clip,
        text_encoder_2=encoders.clip_text(len(clip), "text_encoder_2", seed),
        transformer=initialise(transformer, "transformer", seed),
        vae=initialise(vae, "vae", seed),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0),
        image_processor=encoders.clip_image_processor(IMAGE_SIZE),
    )


def _llava(tokenizer: Tokenizer) -> Any:
    vision = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=IMAGE_SIZE,
        patch_size=14,
        projection_dim=16,
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        max_position_embeddings=2048,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
    )
    model = LlavaForConditionalGeneration(config)
    model.config.pad_token_id = tokenizer.pad_token_id  # the pipeline reads it there; the constructor does not keep it
    return model
