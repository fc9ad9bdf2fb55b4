# SPDX-License-Identifier: Apache-2.0
"""The reading of a metric that has one number a frame, or a pair of frames, and a clip's value from these."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fvhydra.metrics.base import Chunk, Score, Skipped

Values = NDArray[np.floating]


def mean(values: Values) -> float:
    """The mean of the values: how most metrics make a clip's value of those of its frames.

    Raises:
        Skipped: No values.
    """
    if not len(values):
        raise Skipped("too_short", "the clip has no frames to measure")
    return float(values.mean())


class SeriesReading:
    """Keeps the values of ``video`` and makes one of them at the end.

    Args:
        measure: The values of a chunk, real ``[n]``; none for some chunks is fine.
        name: Of the series in the side file.
        finish: The clip's value of all values ``[T]``.
        outputs: Further values of the clip.
        unbounded: Values may be infinite, as of equal frames. ``finish`` gets the others; without any the clip's value
            is infinite too. How many there are is the output ``infinite_frames``.
        divided: Whether it and another metric do parts of each other's work, see ``chunk.shared``: they begin last, and
            so end together.
    """

    def __init__(
        self,
        measure: Callable[[Chunk], Values],
        name: str = "per_frame",
        finish: Callable[[Values], float] = mean,
        outputs: Mapping[str, Any] | None = None,
        divided: bool = False,
        unbounded: bool = False,
    ) -> None:
        self._measure = measure
        self._name = name
        self._finish = finish
        self._outputs = dict(outputs or {})
        self.divided = divided
        self._unbounded = unbounded
        self._frames = 0
        self._parts: list[Values] = [np.empty(0)]

    def update(self, chunk: Chunk) -> None:
        """Measure the frames."""
        self._frames += len(chunk.tracks["video"])
        self._parts.append(self._measure(chunk))

    def result(self) -> Score:
        """The value of the clip.

        Raises:
            Skipped: There was nothing to measure, or a value is not finite.
        """
        values = np.concatenate(self._parts)
        infinite = np.isposinf(values) if self._unbounded else np.zeros(len(values), np.bool_)
        if lost := int(np.count_nonzero(~np.isfinite(values) & ~infinite)):
            raise Skipped("nonfinite", f"{lost} of {len(values)} values are not finite")
        outputs = self._outputs | ({"infinite_frames": int(infinite.sum())} if self._unbounded else {})
        value = math.inf if infinite.any() and infinite.all() else self._finish(values[~infinite])
        return Score(value, outputs, {self._name: values}, self._frames)
