# SPDX-License-Identifier: Apache-2.0
"""How long the vectors of a clip's optical flow (RAFT) are, pair by pair of its frames."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fvhydra.metrics.base import Assets, Chunk, Skipped, Track
from fvhydra.metrics.functional.vbench.temporal import flow_magnitude
from fvhydra.metrics.models.weights import RAFT
from fvhydra.metrics.spec import Spec

Estimate = Callable[[NDArray[np.uint8], NDArray[np.uint8]], list[NDArray[np.float32]]]
"""The flows, ``[H, W, 2]`` each, from frames uint8 ``[n, H, W, 3]`` to others."""


def raft(assets: Assets, spec: Spec) -> Estimate:
    """RAFT, loaded once for all metrics.

    Raises:
        Skipped: ``no_weights``.
    """
    from fvhydra.metrics.models import raft as network

    path: Path = assets.path(spec, RAFT.name)
    loaded: Any = assets.networks("raft", lambda: network.load_raft(path, assets.device))
    return lambda first, second: list(network.flows(loaded, first, second, assets.memory_mb))


def require_side(track: Track) -> None:
    """Refuse frames that are too small for RAFT.

    Raises:
        Skipped: ``shape``.
    """
    from fvhydra.metrics.models.raft import LEAST_SIDE

    if min(track.height, track.width) < LEAST_SIDE:
        raise Skipped("shape", f"RAFT needs frames of {LEAST_SIDE}x{LEAST_SIDE}, not {track.height}x{track.width}")


class Magnitudes:
    """The magnitude of each pair of neighbouring frames as they come, of every ``stride``-th frame.

    Args:
        estimate: The flow.
        stride: Every how many frames one counts.
        share: Of the longest vectors, whose mean is the magnitude.

    Attributes:
        frames: How many frames counted.
        values: One a pair.
        first: The first frame, ``[1, H, W, 3]``.
        last: The last one that counted.
    """

    def __init__(self, estimate: Estimate, stride: int, share: float) -> None:
        self._estimate, self._stride, self._share = estimate, stride, share
        self.frames = 0
        self.values: list[float] = []
        self.first: NDArray[np.uint8] | None = None
        self.last: NDArray[np.uint8] | None = None

    def update(self, chunk: Chunk) -> None:
        """See the next frames.

        Raises:
            Skipped: ``nonfinite``.
        """
        frames = chunk.tracks["video"]
        taken = frames[-chunk.start % self._stride :: self._stride]
        if not len(taken):
            return
        self.frames += len(taken)
        shown = taken if self.last is None else np.concatenate([self.last, taken])
        self.values += self.between(shown[:-1], shown[1:])
        self.first = taken[:1].copy() if self.first is None else self.first
        self.last = taken[-1:].copy()  # a view would keep the whole chunk

    def between(self, first: NDArray[np.uint8], second: NDArray[np.uint8]) -> list[float]:
        """The magnitudes from some frames to others.

        Raises:
            Skipped: ``nonfinite``.
        """
        if not len(first):
            return []
        found = [flow_magnitude(flow, self._share) for flow in self._estimate(first, second)]
        if not np.isfinite(found).all():
            raise Skipped("nonfinite", f"the optical flow of {len(found)} pairs of frames is not finite")
        return found

    def between_ends(self) -> list[float]:
        """From the first frame to the last, and back; none before there are frames."""
        if self.first is None or self.last is None:
            return []
        ends = (self.first, self.last), (self.last, self.first)
        return list(itertools.chain.from_iterable(itertools.starmap(self.between, ends)))
