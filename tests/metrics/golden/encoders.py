# SPDX-License-Identifier: Apache-2.0
"""What stood for the image networks when the values were recorded: a probe, behind the networks' own preprocessing."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fvhydra.metrics.models import clip, dino
from tests.metrics.golden import recipes
from tests.metrics.golden.captured import probe

_PREPARE = {"clip": clip.preprocess, "dino": dino.preprocess}


def encode(recipe: recipes.Recipe, network: Literal["clip", "dino"], seed: int, outputs: int) -> NDArray[np.float32]:
    """Features ``[T, outputs]`` of what the network is shown of a clip."""
    return np.asarray(probe(_PREPARE[network](recipes.clip(recipes.build(recipe))), seed, outputs), np.float32)
