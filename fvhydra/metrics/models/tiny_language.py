# SPDX-License-Identifier: Apache-2.0
"""Small random language models that see, in the format of the real ones; see :mod:`fvhydra.metrics.models.tiny`.

Random weights say nothing in any form. These lean, through the generation settings that a checkpoint may have, to the
form of an answer; what stands in it, such as the marks, is what the network makes of the clip and the words.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import AddedToken
from tokenizers.pre_tokenizers import ByteLevel
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2Tokenizer

_MARKS_OF_A_TURN = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"),
    *("<|image_pad|>", "<|video_pad|>"),
)
_WIDTH = {"hidden_size": 32, "intermediate_size": 64}


def qwen_vl(form: Sequence[str | Sequence[str]], folder: Path) -> Qwen2_5_VLForConditionalGeneration:
    """Write the tokenizer and the settings of a Qwen2.5-VL whose answers have a form.

    Args:
        form: What the answer is made of, in order: a text that becomes one token, or texts of one character that the
            network chooses among.
        folder: Where to.

    Returns:
        The network, to be given weights and saved.
    """
    tokenizer = _tokenizer([step for step in form if isinstance(step, str)])
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in _MARKS_OF_A_TURN}
    vision = {**_WIDTH, "depth": 2, "num_heads": 2, "out_hidden_size": 32, "fullatt_block_indexes": [1]}
    rope = {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [2, 1, 1]}
    text = {
        **_WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "vocab_size": len(tokenizer), "rope_parameters": rope, "max_position_embeddings": 32_768,
        "bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|im_end|>"],
    }  # fmt: skip
    config = Qwen2_5_VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    network = Qwen2_5_VLForConditionalGeneration(config)
    steps = [[step] if isinstance(step, str) else list(step) for step in (*form, "<|im_end|>")]
    network.generation_config.sequence_bias = _leaning([tokenizer.convert_tokens_to_ids(step) for step in steps])
    network.generation_config.update(eos_token_id=ids["<|im_end|>"], pad_token_id=ids["<|endoftext|>"])
    tokenizer.save_pretrained(folder)
    return network


def _tokenizer(texts: Sequence[str]) -> Qwen2Tokenizer:
    vocabulary = {token: index for index, token in enumerate(sorted(ByteLevel.alphabet()))}
    vocabulary["<|endoftext|>"] = len(vocabulary)
    tokenizer = Qwen2Tokenizer(vocab=vocabulary, merges=[])
    tokenizer.add_special_tokens({"extra_special_tokens": list(_MARKS_OF_A_TURN[1:])})
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in texts])
    return tokenizer


def _leaning(steps: Sequence[Sequence[int]]) -> list[list[object]]:
    """Sequences of tokens with what their last token gains: the longer the beginning that was kept to, the more."""
    found: list[list[object]] = []
    for index, step in enumerate(steps):
        before = steps[max(index - 2, 0) : index]
        starts: list[list[int]] = [[]]
        for earlier in before:
            starts = [[*start, token] for start in starts for token in earlier]
        found += [[[*start, token], 100.0 * (index + 1)] for start in starts for token in step]
    return found
