# SPDX-License-Identifier: Apache-2.0
"""The base of metrics that are the Fréchet distance of two sets of features."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fvhydra.metrics.base import Arrays, Score, SetMetric, Skipped
from fvhydra.metrics.functional.frechet import PEER_RIDGE, FeatureSet, finite_rows, frechet_distance

SIDES = ("generated", "reference")

_ROUGH = 256
"""With fewer samples on a side the distance is mostly bias; published values are of 2048."""


class FrechetMetric(SetMetric):
    """A contribution is rows of features by side: real ``[n, D]`` under ``generated`` and ``reference``.

    The state holds, for each side that has samples, ``<side>.rows`` (see
    :class:`~fvhydra.metrics.functional.frechet.FeatureSet`), ``<side>.count`` and ``<side>.dropped``, the number of
    rows that were not finite.
    """

    def empty(self) -> Arrays:
        return {}

    def update(self, state: Arrays, contribution: Arrays) -> Arrays:
        return self.merge(state, {k: v for side, rows in contribution.items() for k, v in _side(side, rows).items()})

    def merge(self, state: Arrays, other: Arrays) -> Arrays:
        merged = dict(state)
        for side in SIDES:
            if f"{side}.rows" not in state:
                merged |= {name: array for name, array in other.items() if name.startswith(f"{side}.")}
            elif f"{side}.rows" in other:
                features, added = _features(state, side), _features(other, side)
                features.merge(added)
                merged |= _arrays(side, features, int(state[f"{side}.dropped"]) + int(other[f"{side}.dropped"]))
        return merged

    def compute(self, state: Arrays) -> Score:
        counts = {side: int(state.get(f"{side}.count", 0)) for side in SIDES}
        if min(counts.values()) < 2:
            raise Skipped(
                "missing_input",
                "a distance needs two samples or more on each side, "
                f"not {counts['generated']} generated and {counts['reference']} reference",
            )
        generated, reference = (_features(state, side) for side in SIDES)
        value = frechet_distance(generated, reference, PEER_RIDGE if self.params.parity == "peer" else 0.0)
        outputs: dict[str, Any] = {f"n_{side}": count for side, count in counts.items()}
        outputs |= {f"n_{side}_dropped": int(state[f"{side}.dropped"]) for side in SIDES}
        if min(counts.values()) < _ROUGH:
            outputs["note"] = f"rough: fewer than {_ROUGH} samples on a side"
        return Score(value, outputs={**outputs, **self.facts()})

    @abstractmethod
    def facts(self) -> Mapping[str, Any]:
        """What the value depends on beside the samples, shown with it: the extractor, how frames are taken."""


def _side(side: str, rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
    finite, dropped = finite_rows(rows)
    features = FeatureSet(rows.shape[1])
    features.update(finite)
    return _arrays(side, features, dropped)


def _features(state: Arrays, side: str) -> FeatureSet:
    rows = state[f"{side}.rows"]
    return FeatureSet(rows.shape[1] - 1, int(state[f"{side}.count"]), rows)


def _arrays(side: str, features: FeatureSet, dropped: int) -> dict[str, NDArray[Any]]:
    return {
        f"{side}.rows": features.rows,
        f"{side}.count": np.asarray(features.count),
        f"{side}.dropped": np.asarray(dropped),
    }
