# SPDX-License-Identifier: Apache-2.0
"""CLAP: embeddings of sound and of text in one space.

Wu et al., "Large-scale contrastive language-audio pretraining with feature fusion" (2023), through transformers.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

from fvhydra.metrics.models.loading import pretrained, quiet

RATE_HZ = 48_000

_LONGEST_TEXT = 77
"""Tokens, as LAION cuts it; the text network has no position beyond 512."""

_NUMPY = Lock()


@dataclass(frozen=True)
class Clap:
    """The two networks and what prepares their inputs."""

    model: ClapModel
    extractor: ClapFeatureExtractor
    tokenizer: Any


def load_clap(folder: Path, device: str) -> Clap:
    """Load CLAP from a folder in the format of the Hub."""
    model = pretrained(ClapModel, folder, device)
    with quiet():
        extractor = ClapFeatureExtractor.from_pretrained(folder, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return Clap(model, extractor, tokenizer)


@torch.inference_mode()
def audio_embedding(clap: Clap, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of unit length, float32 ``[D]``.

    Of a recording longer than 10 s the extractor takes three crops at random: here their places follow from the
    samples, so that a recording has one embedding. Recordings go through one by one, because in a batch the extractor
    marks one of them, at random, as longer than it is.

    Args:
        clap: From :func:`load`.
        samples: float32 ``[N]`` at 48 kHz.
    """
    with _seeded(int.from_bytes(hashlib.sha256(samples.tobytes()).digest()[:4])):
        inputs = clap.extractor(samples, sampling_rate=RATE_HZ, return_tensors="pt")
    features = inputs["input_features"].float().to(clap.model.device)
    found = clap.model.get_audio_features(input_features=features, is_longer=inputs["is_longer"])
    return np.asarray(found.pooler_output[0].cpu(), np.float32)


@torch.inference_mode()
def text_embedding(clap: Clap, text: str) -> NDArray[np.float32]:
    """The embedding, of unit length: float32 ``[D]``."""
    inputs = clap.tokenizer(text, truncation=True, max_length=_LONGEST_TEXT, return_tensors="pt")
    found = clap.model.get_text_features(**inputs.to(clap.model.device))
    return np.asarray(found.pooler_output[0].cpu(), np.float32)


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """The extractor draws numpy's global random numbers: from a seed, and afterwards as if nothing had been drawn."""
    with _NUMPY:
        state = np.random.get_state()
        np.random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(state)
