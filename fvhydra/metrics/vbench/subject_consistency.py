# SPDX-License-Identifier: Apache-2.0
"""``vbench.subject_consistency``: similarity of DINO's features from frame to frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fvhydra.metrics.models.weights import DINO_B16
from fvhydra.metrics.spec import Spec
from fvhydra.metrics.vbench.consistency import DESCRIBED, Consistency


class SubjectConsistency(Consistency):
    """See :class:`Consistency`, of DINO's features."""

    spec = Spec(
        id="vbench.subject_consistency",
        title="Likeness of each frame to the one before and to the first (DINO ViT-B/16), mean over the frames",
        assets=(DINO_B16,),
        source="VBench (Huang et al. 2024); Caron et al. 2021",
        **DESCRIBED,
    )

    def setup(self) -> None:
        from fvhydra.metrics.models import dino

        folder = self.assets.path(self.spec, DINO_B16.name)
        self._network = self.assets.networks("dino_b16", lambda: dino.load_dino(folder, self.assets.device))

    def features(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        from fvhydra.metrics.models import dino

        return dino.features(self._network, frames, self.assets.memory_mb)
