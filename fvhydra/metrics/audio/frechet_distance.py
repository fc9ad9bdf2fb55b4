# SPDX-License-Identifier: Apache-2.0
"""``audio.frechet_distance``: the Fréchet audio distance of the generated sounds and the references."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass as plain_dataclass
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import doc, one_of
from fvhydra.core.errors import UsageError
from fvhydra.core.untrusted import read_array
from fvhydra.metrics.audio import recording
from fvhydra.metrics.base import Chunk, Reading, SampleVideos, Score, Skip, Skipped
from fvhydra.metrics.distance import FrechetMetric
from fvhydra.metrics.features import FeatureCache
from fvhydra.metrics.models.weights import CLAP
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Input, Spec

if TYPE_CHECKING:
    from fvhydra.metrics.models.clap import Clap

_KEYS = {
    "clap": {"generated": "audio", "reference": "reference_audio"},
    "given": {"generated": "audio_features", "reference": "reference_audio_features"},
}
"""Extractor to the key that each side is read from."""


@dataclass
class FrechetDistanceParams:
    """Which features are compared, and by whose rule."""

    extractor: Annotated[str, one_of(*_KEYS)] = doc("clap: of the sounds; given: of .npy files with features", "clap")
    parity: Annotated[str, one_of("upstream", "peer")] = doc(
        "peer: 1e-6 on the diagonal of both covariances, as FastVideo", "upstream"
    )


class FrechetDistance(FrechetMetric):
    """See :func:`fvhydra.metrics.functional.frechet.frechet_distance`.

    FastVideo and av-benchmark compute it of PaSST's features (FD_PaSST), which can be given as files: ``[D]`` or
    ``[n, D]`` of a recording. Values of different features are different quantities. A sample adds its sound to the
    generated side and its reference sound, where it has one, to the other; one of the role ``reference`` adds its sound
    to the latter. Features that are not finite, as of silence, are left out and counted.
    """

    spec = Spec(
        id="audio.frechet_distance",
        version=1,
        title="Fréchet audio distance between the generated sounds and the references",
        kind="set",
        direction="lower",
        unit="1",
        low=0.0,
        inputs=(
            Input("audio", "audio", required=False),
            Input("reference_audio", "audio", required=False),
            Input("audio_features", "file", required=False),
            Input("reference_audio_features", "file", required=False),
        ),
        params=FrechetDistanceParams,
        assets=(replace(CLAP, when="extractor=clap"),),
        source="Kilgour et al. 2019; CLAP's features as in fadtk",
        rule="Fréchet distance of all features",
        ideal=0.0,
    )

    def setup(self) -> None:
        if self.params.extractor == "given":
            return
        from fvhydra.metrics.models import clap

        folder = self.assets.path(self.spec, CLAP.name)
        self._clap: Clap = self.assets.networks("clap", lambda: clap.load_clap(folder, self.assets.device))
        revision = self.assets.revision(self.spec, CLAP.name)
        self._cache = FeatureCache(self.assets.cache_dir, {"metric": "clap 1", "revision": revision})

    def check(self, sample: Sample) -> Skip | None:
        keys = self._keys(sample)
        if all(sample.keys.get(key) is None for key in keys.values()):
            return Skip("missing_input", f"the sample has no {' and no '.join(keys.values())}")
        return None

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        keys = {side: key for side, key in self._keys(sample).items() if sample.keys.get(key) is not None}
        return _Reading(self, sample, keys)

    def facts(self) -> Mapping[str, Any]:
        return {"extractor": self.params.extractor}

    def features(self, key: str, sample: Sample) -> NDArray[np.floating]:
        """``[n, D]`` of a file of a sample.

        Raises:
            Skipped: It is no such file, has no sound, or is silent.
        """
        path: Path = sample.keys[key]
        if self.params.extractor == "given":
            return _given(path)
        if not path.is_file():  # before its content is asked for
            raise Skipped("unreadable", f"There is no recording {path}.")
        from fvhydra.metrics.models import clap

        content = Sample("", {"file": path}).content(["file"])
        found = self._cache.get(content)
        if found is None:
            found = clap.audio_embedding(self._clap, recording.load_recording(path, clap.RATE_HZ))
            self._cache.put(content, found)
        return found[None]

    def _keys(self, sample: Sample) -> Mapping[str, str]:
        keys = _KEYS[self.params.extractor]
        return keys if sample.role == "generated" else {"reference": keys["generated"]}


@plain_dataclass(frozen=True)
class _Reading:
    metric: FrechetDistance
    sample: Sample
    keys: Mapping[str, str]

    def update(self, chunk: Chunk) -> None:
        """A sound has no frames: nothing is done."""

    def result(self) -> Score:
        return Score(contribution={side: self.metric.features(key, self.sample) for side, key in self.keys.items()})


def _given(path: Path) -> NDArray[np.floating]:
    try:
        rows = read_array(path)
    except UsageError as error:
        raise Skipped("unreadable", f"{path} is no .npy of features ({error.message})") from error
    if rows.ndim not in (1, 2) or not rows.size or not np.issubdtype(rows.dtype, np.floating):
        raise Skipped("shape", f"{path} must be real [D] or [n, D], not {rows.dtype} {list(rows.shape)}")
    return np.atleast_2d(rows)
