# SPDX-License-Identifier: Apache-2.0
"""How steady a network's features are from frame to frame: what the two dimensions of consistency share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Annotated, Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import doc, one_of
from fvhydra.metrics.base import Chunk, Metric, Reading, SampleVideos, Skipped
from fvhydra.metrics.functional.parity import Parity
from fvhydra.metrics.functional.vbench import temporal
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.series import SeriesReading, Values
from fvhydra.metrics.spec import Input, Output


@dataclass
class ConsistencyParams:
    """What a clip of one frame scores."""

    parity: Annotated[str, one_of("upstream", "peer")] = doc(
        "upstream: a clip of one frame is skipped; peer: it scores 1, as with FastVideo", "upstream"
    )


DESCRIBED: dict[str, Any] = {
    "version": 1,
    "kind": "sample",
    "direction": "higher",
    "unit": "1",
    "low": 0.0,
    "high": 1.0,
    "inputs": (Input("video", "video"),),
    "outputs": (Output("per_pair", direction="higher", per="pair"),),
    "params": ConsistencyParams,
    "comparable_to": ("vbench",),
    "sees": ("cut to another",),
}
"""What the specs of both metrics say."""


class Consistency(Metric):
    """See :func:`fvhydra.metrics.functional.vbench.temporal.consistency_terms`, of the features of a network."""

    @abstractmethod
    def features(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32 ``[n, D]`` of uint8 ``[n, H, W, 3]``."""

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        return SeriesReading(_Terms(self.features), "per_pair", self._finish)

    def _finish(self, terms: Values) -> float:
        if not len(terms) and self.params.parity == "upstream":
            raise Skipped("too_short", "one frame has nothing to be like; it takes two")
        return temporal.consistency(terms.astype(np.float64), cast(Parity, self.params.parity))


class _Terms:
    """Similarity of each frame of a chunk to the frame before it and to the first frame of the clip."""

    def __init__(self, features: Callable[[NDArray[np.uint8]], NDArray[np.float32]]) -> None:
        self._features = features
        self._ends: NDArray[np.float32] | None = None

    def __call__(self, chunk: Chunk) -> NDArray[np.float64]:
        features = self._features(chunk.tracks["video"])
        if self._ends is None:
            terms = temporal.consistency_terms(features)
            self._ends = features[[0, -1]]
        else:
            terms = temporal.consistency_terms(np.concatenate([self._ends, features]))[1:]
            self._ends[1] = features[-1]
        return terms
