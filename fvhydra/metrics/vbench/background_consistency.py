# SPDX-License-Identifier: Apache-2.0
"""``vbench.background_consistency``: similarity of CLIP's features from frame to frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fvhydra.metrics.models.weights import CLIP_B32
from fvhydra.metrics.spec import Spec
from fvhydra.metrics.vbench.consistency import DESCRIBED, Consistency


class BackgroundConsistency(Consistency):
    """See :class:`Consistency`, of CLIP's features, which are those of the whole picture."""

    spec = Spec(
        id="vbench.background_consistency",
        title="Likeness of each frame to the one before and to the first (CLIP ViT-B/32), mean over the frames",
        assets=(CLIP_B32,),
        source="VBench (Huang et al. 2024); Radford et al. 2021",
        **DESCRIBED,
    )

    def setup(self) -> None:
        from fvhydra.metrics.models import clip

        folder = self.assets.path(self.spec, CLIP_B32.name)
        self._tower = self.assets.networks("clip_b32", lambda: clip.load_clip(folder, self.assets.device))

    def features(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        from fvhydra.metrics.models import clip

        return clip.features(self._tower, frames, self.assets.memory_mb)
