# SPDX-License-Identifier: Apache-2.0
"""The contract of who builds tiny weights of a family from outside this package (``model.tiny``)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class TinyFamily(ABC):
    """Builds a pipeline with small weights, the same bytes for the same seed in any process.

    ``fvhydra.engines.tiny`` has what builds ours: ``weights.initialise`` gives every parameter a seeded value,
    ``encoders`` and ``tokenizers`` are small ones of the usual kinds.
    """

    @abstractmethod
    def build(self, seed: int) -> Any:
        """A pipeline of the real classes, with widths and depths shrunk.

        What a caller can see stays as in the real checkpoint: compression of the VAE, latent channels, scheduler, patch
        sizes.

        Args:
            seed: Another seed gives unrelated weights.

        Returns:
            What has ``save_pretrained``.
        """
