# SPDX-License-Identifier: Apache-2.0
"""``tier=``: how much work a case does."""

from __future__ import annotations

from typing import Annotated

from omegaconf import MISSING
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import Name, NonNegativeFloat, doc, one_of

TINY_VERSION = 1
"""Version of the tiny weights. Part of a recipe: raise it whenever a tiny family yields other weights than before."""

SYNTHETIC_VERSION = 1
"""The same of full-size random weights (``fvhydra.engines.pipeline.synthetic``)."""


@dataclass
class TierConfig:
    """A tier: its folder in reference paths, and which weights it loads."""

    name: Name = doc("The word after tier=, and the folder in reference paths", MISSING)
    weights: Annotated[str, one_of("tiny", "synthetic", "hub")] = doc(
        "tiny: seeded random, built here; synthetic: the same at full size, on the device; hub: the real ones", MISSING
    )
    perturb_weights: NonNegativeFloat = doc(
        "Relative noise on the denoiser's weights after loading, to see a gate fail (tiny weights only)", 0.0
    )
