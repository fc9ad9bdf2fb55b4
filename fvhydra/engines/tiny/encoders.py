# SPDX-License-Identifier: Apache-2.0
"""Text and vision encoders that several families share."""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    CLIPImageProcessorPil,
    CLIPTextConfig,
    CLIPTextModel,
    T5Config,
    T5EncoderModel,
    UMT5Config,
    UMT5EncoderModel,
)

from fvhydra.engines.tiny.weights import initialise

WIDTH = 32
"""Width of every tiny text encoder."""


def t5(vocabulary: int, seed: int) -> torch.nn.Module:
    """T5 encoder of two layers."""
    return initialise(T5EncoderModel(T5Config(**_t5(vocabulary))), "text_encoder", seed)


def umt5(vocabulary: int, seed: int) -> torch.nn.Module:
    """UMT5 encoder of two layers (Wan)."""
    return initialise(UMT5EncoderModel(UMT5Config(**_t5(vocabulary))), "text_encoder", seed)


def clip_text(vocabulary: int, component: str, seed: int) -> torch.nn.Module:
    """CLIP text encoder of three layers, for the vocabulary of :func:`fvhydra.engines.tiny.tokenizers.clip`."""
    config = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=WIDTH,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=77,
        projection_dim=WIDTH,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return initialise(CLIPTextModel(config), component, seed)


def clip_image_processor(size: int) -> CLIPImageProcessorPil:
    """CLIP's image processor. The one on Pillow, by name: which one the plain name means depends on torchvision."""
    return CLIPImageProcessorPil(size={"shortest_edge": size}, crop_size={"height": size, "width": size})


def _t5(vocabulary: int) -> dict[str, Any]:
    return {
        "vocab_size": vocabulary,
        "d_model": WIDTH,
        "d_kv": 8,
        "d_ff": 64,
        "num_layers": 2,
        "num_heads": 4,
        "feed_forward_proj": "gated-gelu",
        "relative_attention_num_buckets": 8,
        "tie_word_embeddings": False,
        "dropout_rate": 0.0,
    }
