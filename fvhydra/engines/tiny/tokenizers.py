# SPDX-License-Identifier: Apache-2.0
"""Tokenizers that need no training and no download: a byte alphabet, whole words, and merges that spell the words.

Every text has an encoding of its own, and common words are one token, as in a trained vocabulary.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import CLIPTokenizer, GemmaTokenizer, PreTrainedTokenizerFast

WORDS = (
    "the of and to in a is that it for was on are as with his they at be this from have or by one had not but what "
    "all were when we there can an your which their said if do will each about how up out them then she many some so "
    "these would other into has more her two like him see time could no make than first been its who now people my "
    "made over down only way find use may water long little very after words where most know get through back much "
    "before go good new write used me man too any day same right look think also around another came come work three "
    "must because does part even place well such here take why things help put years different away again off went "
    "old number great tell men say small every found still between name should home big give air line set own under "
    "read last never us left end along while might next sound below saw something thought both few those always show "
    "large often together world going want until form food keep feet land side without boy once life took four head "
    "above kind began almost live earth need far hand high year light country father let night following video camera "
    "scene shot motion slow fast close wide dog cat robot dancing walking running city street ocean mountain sky "
    "sunset background foreground quality detailed blurry low bright colors style image frame person woman girl red "
    "blue green white black music playing guitar piano wooden surface worst static astronaut moon noodles hiker cliff"
)
"""Words with a token of their own."""


def t5(length: int) -> PreTrainedTokenizerFast:
    """T5-like, in the generic class: T5's own fast class rebuilds itself on loading and drops the byte alphabet."""
    return _byte_level({"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}, "$A </s>", length)


def clip() -> CLIPTokenizer:
    """CLIP's, 77 tokens."""
    vocabulary, merges = _vocabulary(["<|startoftext|>", "<|endoftext|>"], _byte_alphabet(), suffix="</w>")
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)


def gemma(length: int) -> GemmaTokenizer:
    """Gemma's, padded on the left."""
    specials = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"]
    alphabet = [f"<0x{byte:02X}>" for byte in range(256)] + ["▁"] + [chr(code) for code in range(33, 127)]
    vocabulary, merges = _vocabulary(specials, alphabet, prefix="▁")
    return GemmaTokenizer(
        vocab=vocabulary, merges=merges, model_max_length=length, padding_side="left", add_bos_token=True
    )


def llama3(template: str, crop_start: int) -> PreTrainedTokenizerFast:
    """Llama 3's, on which the fixed head of a prompt template takes exactly ``crop_start`` tokens.

    HunyuanVideo cuts that many tokens off, whatever they are. With a plain byte alphabet the head is ten times longer,
    and what is cut and truncated is the user's whole prompt.
    """
    specials = {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>", "pad_token": "<|end_of_text|>"}
    marks = ["<|start_header_id|>", "<|end_header_id|>", "<image>"]
    tokenizer = _byte_level(specials, "<|begin_of_text|> $A", 2048, padding_side="right")
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    return _with_head_of(tokenizer, template.split("{}")[0], crop_start, [*marks, *specials.values()])


def _byte_level(specials: dict[str, str], template: str, length: int, **options: Any) -> PreTrainedTokenizerFast:
    vocabulary, merges = _vocabulary(list(specials.values()), _byte_alphabet(), prefix="\u0120")
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[(word, vocabulary[word]) for word in template.split() if word != "$A"]
    )
    # transformers 4 rebuilds the space in front of a text from this option
    options = {"add_prefix_space": True, **options}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=length, **specials, **options)


def _byte_alphabet() -> list[str]:
    return sorted(pre_tokenizers.ByteLevel.alphabet())


def _vocabulary(
    specials: list[str], alphabet: list[str], prefix: str = "", suffix: str = ""
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Tokens and merges: specials, alphabet, then every word with the prefixes of it that lead there."""
    endings = [letter + suffix for letter in alphabet] if suffix else []
    tokens = dict.fromkeys([*specials, *alphabet, *endings])
    merges: dict[tuple[str, str], None] = {}
    for word in WORDS.split():
        letters = [*([prefix] if prefix else []), *word[:-1], word[-1] + suffix]
        joined = letters[0]
        for letter in letters[1:]:
            merges[(joined, letter)] = None
            joined += letter
            tokens[joined] = None
    return {token: index for index, token in enumerate(tokens)}, list(merges)


def _with_head_of(
    tokenizer: PreTrainedTokenizerFast, head: str, length: int, marks: list[str]
) -> PreTrainedTokenizerFast:
    """Add pieces of ``head`` as tokens until it is ``length`` tokens long."""
    for target in (length + offset for offset in (0, -1, 1, -2, 2, -3)):  # pieces that occur twice shift the count
        trial = copy.deepcopy(tokenizer)
        trial.add_tokens([AddedToken(piece, normalized=False) for piece in _pieces(head, target, marks)])
        if len(trial(head)["input_ids"]) == length:
            return trial
    raise RuntimeError(f"the prompt template does not fit into {length} tokens")


def _pieces(head: str, target: int, marks: list[str]) -> list[str]:
    """Cut ``head``, without ``marks``, so that pieces, marks and the leading bos token are ``target`` together."""
    parts = [part for part in re.split("(" + "|".join(map(re.escape, marks)) + ")", head) if part]
    target -= 1 + sum(part in marks for part in parts)
    runs = [re.findall(r"\n\n|\S+\s*|\s+", part) for part in parts if part not in marks]
    longest = max(runs, key=len)
    while sum(map(len, runs)) > target:  # join the shortest neighbours
        at = min(range(len(longest) - 1), key=lambda i: len(longest[i]) + len(longest[i + 1]))
        longest[at : at + 2] = [longest[at] + longest[at + 1]]
    while sum(map(len, runs)) < target:  # split the longest piece
        at = max(range(len(longest)), key=lambda i: len(longest[i]))
        piece = longest[at]
        longest[at : at + 1] = [piece[: len(piece) // 2], piece[len(piece) // 2 :]]
    return [piece for run in runs for piece in run]
