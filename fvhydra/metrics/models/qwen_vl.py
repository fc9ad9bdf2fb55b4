# SPDX-License-Identifier: Apache-2.0
"""Language models that see clips: Qwen2.5-VL, from frames to an answer with the logits of its tokens.

The library prepares clips through torchvision, which this does without: frames are scaled and cut into patches here, as
qwen-vl-utils 0.0.14 and the library's processor do.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration

from fvhydra.metrics.models.images import CLIP, Frames, normalise
from fvhydra.metrics.models.loading import pretrained, quiet

_PATCH, _MERGE, _PAIR = 14, 2, 2
_FACTOR = _PATCH * _MERGE
_LEAST_TOKENS, _MOST_TOKENS, _ALL_TOKENS = 128, 768, 115_200
"""Of a frame, of a frame, of all pairs of frames; a token is a square of 28 pixels."""
_MOST_FRAMES, _FEWEST_FRAMES = 768, 4
_FRAMES_AT_ONCE = 32
_RANDOM = Lock()
"""Random numbers are the process's: one answer is drawn at a time."""


@dataclass(frozen=True)
class LanguageModel:
    """A network with its tokenizer."""

    network: Any
    tokenizer: Any


@dataclass(frozen=True)
class Clip:
    """Part of a question: uint8 ``[T, H, W, 3]`` as :func:`scaled` leaves them, T even; and how many are a second."""

    frames: Frames
    fps: float


@dataclass(frozen=True)
class Answer:
    """What a model said.

    Attributes:
        text: All of it, the end mark too.
        tokens: Ids.
        logits: float32 ``[tokens, vocabulary]``, before anything is done to them for the choice of a token.
    """

    text: str
    tokens: list[int]
    logits: torch.Tensor = field(repr=False)


def load_model(folder: Path, device: str) -> LanguageModel:
    """From a folder of the Hub's format; in bfloat16 on a GPU, where it would hardly fit otherwise."""
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    network = pretrained(Qwen2_5_VLForConditionalGeneration, folder, device, dtype=dtype)
    with quiet():
        return LanguageModel(network, AutoTokenizer.from_pretrained(folder, local_files_only=True))


def sampled(frames: int, fps: float, wanted_fps: float) -> list[int]:
    """Which frames of a clip are shown: ``wanted_fps`` a second, an even number, 4 to 768 where there are as many.

    Raises:
        ValueError: Fewer than two frames.

    Example:
        >>> sampled(24, 8.0, 2.0), len(sampled(121, 24.0, 2.0)), sampled(3, 24.0, 2.0)
        ([0, 5, 9, 14, 18, 23], 10, [0, 2])
    """
    most = min(_MOST_FRAMES, frames) // _PAIR * _PAIR
    count = int(min(max(frames / fps * wanted_fps, _FEWEST_FRAMES), most, frames)) // _PAIR * _PAIR
    if count < _PAIR:
        raise ValueError("a clip of one frame shows no motion; it takes two")
    return [int(index) for index in torch.linspace(0, frames - 1, count).round().long()]


def shown_size(size: Sequence[int], frames: int) -> tuple[int, int]:
    """Rows and columns that a frame is scaled to: multiples of 28, 128 to 768 squares, fewer where frames are many.

    Example:
        >>> shown_size((480, 832), 10), shown_size((1080, 1920), 10), shown_size((64, 96), 10)
        ((476, 840), (560, 1008), (280, 392))
    """
    height, width = size
    square = _FACTOR**2
    least = _LEAST_TOKENS * square
    most = max(min(_MOST_TOKENS * square, _ALL_TOKENS * square / frames * _PAIR), int(least * 1.05))
    rows, columns = (max(_FACTOR, round(side / _FACTOR) * _FACTOR) for side in (height, width))
    if rows * columns > most:
        scale = math.sqrt(height * width / most)
        return math.floor(height / scale / _FACTOR) * _FACTOR, math.floor(width / scale / _FACTOR) * _FACTOR
    if rows * columns < least:
        scale = math.sqrt(least / (height * width))
        return math.ceil(height * scale / _FACTOR) * _FACTOR, math.ceil(width * scale / _FACTOR) * _FACTOR
    return rows, columns


def scaled(frames: Frames, size: tuple[int, int]) -> Frames:
    """uint8 ``[n, rows, columns, 3]``: bicubic with antialiasing, and rounded."""
    images = torch.from_numpy(np.array(frames)).permute(0, 3, 1, 2).float()
    if tuple(images.shape[-2:]) != size:
        images = F.interpolate(images, size, mode="bicubic", align_corners=False, antialias=True)
    return np.asarray(images.clamp(0, 255).round().byte().permute(0, 2, 3, 1).numpy())


def patches(clip: Clip) -> tuple[torch.Tensor, tuple[int, int, int]]:
    """float32 ``[patches, 1176]``, each of two frames and 14 x 14 pixels, four neighbours together; and their grid."""
    count, rows, columns = clip.frames.shape[:3]
    grid = count // _PAIR, rows // _PATCH, columns // _PATCH
    parts = []
    for start in range(0, count, _FRAMES_AT_ONCE):
        frames = torch.from_numpy(clip.frames[start : start + _FRAMES_AT_ONCE]).permute(0, 3, 1, 2).float() / 255
        shape = (-1, _PAIR, 3, grid[1] // _MERGE, _MERGE, _PATCH, grid[2] // _MERGE, _MERGE, _PATCH)
        cut = normalise(frames, CLIP).reshape(shape).permute(0, 3, 6, 4, 7, 2, 1, 5, 8)
        parts.append(cut.reshape(-1, 3 * _PAIR * _PATCH**2))
    return torch.cat(parts), grid


def inputs_of(model: LanguageModel, question: Sequence[str | Clip]) -> dict[str, torch.Tensor]:
    """What the network reads of a question: words and clips in their order, as one turn of a conversation."""
    parts, pixels, grids, seconds = [], [], [], []
    for part in question:
        if isinstance(part, str):
            parts.append(part.replace("<|", "< |"))  # a stranger's words are no marks of the conversation
            continue
        cut, grid = patches(part)
        tokens = math.prod(grid) // _MERGE**2
        parts.append(f"<|vision_start|>{'<|video_pad|>' * tokens}<|vision_end|>")
        pixels.append(cut)
        grids.append(grid)
        seconds.append(_PAIR / part.fps)
    text = (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        f"<|im_start|>user\n{''.join(parts)}<|im_end|>\n<|im_start|>assistant\n"
    )
    ids = model.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    network = model.network
    inputs = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "mm_token_type_ids": 2 * (ids == network.config.video_token_id).int(),
        "pixel_values_videos": torch.cat(pixels).to(network.dtype),
        "video_grid_thw": torch.tensor(grids),
        "second_per_grid_ts": torch.tensor(seconds),
    }
    return {name: value.to(network.device) for name, value in inputs.items()}


@torch.inference_mode()
def answer(
    model: LanguageModel,
    question: Sequence[str | Clip],
    max_tokens: int,
    temperature: float | None = None,
    seed: int = 0,
) -> Answer:
    """Let the model answer.

    Args:
        model: Of :func:`load_model`.
        question: Words and at least one clip.
        max_tokens: How long the answer may become.
        temperature: Of the tokens' choice; None: the likeliest one.
        seed: Of that choice; the caller's own random numbers stay as they are.
    """
    inputs = inputs_of(model, question)
    how = copy.deepcopy(model.network.generation_config)
    if temperature is None:
        how.update(do_sample=False, temperature=None, top_p=None, top_k=None)
    else:
        how.update(do_sample=True, temperature=temperature)
    how.update(max_new_tokens=max_tokens, output_logits=True, return_dict_in_generate=True)
    devices = [model.network.device] if model.network.device.type == "cuda" else []
    with _RANDOM, torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        made = model.network.generate(**inputs, generation_config=how)
    tokens = made.sequences[0, inputs["input_ids"].shape[1] :].tolist()
    logits = torch.stack([step[0].float().cpu() for step in made.logits])
    return Answer(model.tokenizer.decode(tokens, skip_special_tokens=False), tokens, logits)


def token_at(model: LanguageModel, said: Answer, character: int) -> int:
    """The index of the token that brings a character of the answer."""
    low, high = 0, len(said.tokens) - 1
    while low < high:  # a beginning of the answer only becomes longer with each token
        middle = (low + high) // 2
        if len(model.tokenizer.decode(said.tokens[: middle + 1], skip_special_tokens=False)) > character:
            high = middle
        else:
            low = middle + 1
    return low
