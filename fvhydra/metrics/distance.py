# SPDX-License-Identifier: Apache-2.0
"""The base of metrics that are the Fréchet distance of two sets of features."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fvhydra.core.errors import FvhydraError, MediaError
from fvhydra.core.untrusted import read_array
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
        state, source = self._with_references(state)
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
        outputs["ref_source"] = source
        if min(counts.values()) < _ROUGH:
            outputs["note"] = f"rough: fewer than {_ROUGH} samples on a side"
        return Score(value, outputs={**outputs, **self.facts()})

    def stored_references(self) -> Path | None:
        """A file of features that stand in for the references where no sample has any; see :func:`read_features`."""
        return None

    def _with_references(self, state: Arrays) -> tuple[Arrays, str]:
        """The state with a reference side, and where that is from: ``samples``, or the file."""
        path = self.stored_references()
        if "reference.rows" in state or path is None:
            return state, "samples"
        rows = read_features(path)
        if "generated.rows" in state and (wanted := state["generated.rows"].shape[1] - 1) != rows.shape[1]:
            raise Skipped("shape", f"{path} has features of {rows.shape[1]} values, and those of the samples {wanted}")
        return self.update(state, {"reference": rows}), str(path)

    @abstractmethod
    def facts(self) -> Mapping[str, Any]:
        """What the value depends on beside the samples, shown with it: the extractor, how frames are taken."""


def read_features(path: Path) -> NDArray[np.floating]:
    """The features ``[n, D]`` of a file: ``.npy``, or a tensor of ``torch.save`` (``.pt``, ``.pth``); ``[D]`` is one.

    Raises:
        Skipped: It is no such file.
    """
    try:
        rows = _tensor(path) if path.suffix in (".pt", ".pth") else read_array(path)
    except FvhydraError as error:
        raise Skipped("unreadable", f"{path} is no file of features ({error.message})") from error
    if rows.ndim not in (1, 2) or not rows.size or not np.issubdtype(rows.dtype, np.floating):
        raise Skipped("shape", f"{path} must be real [D] or [n, D], not {rows.dtype} {list(rows.shape)}")
    return np.atleast_2d(rows)


def _tensor(path: Path) -> NDArray[Any]:
    import torch

    from fvhydra.media.tensors import read_tensors

    found = read_tensors(path, "file of features", legacy=True)
    if not isinstance(found, torch.Tensor):
        raise MediaError(f"{path} holds no tensor.")
    return np.asarray((found.double() if found.is_floating_point() else found).numpy())


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
