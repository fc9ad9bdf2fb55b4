# SPDX-License-Identifier: Apache-2.0
"""``audio.frechet_distance``: the Fréchet audio distance of the generated sounds and the references.

Of PaSST's features (FD_PaSST), which is what av-benchmark and FastVideo mean by that name. That of CLAP's features is
another quantity, ``audio.frechet_distance_clap``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass as plain_dataclass
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import doc, one_of
from fvhydra.metrics.audio import recording
from fvhydra.metrics.audio.passt_sounds import PasstParams, PasstSounds
from fvhydra.metrics.base import Chunk, Reading, SampleVideos, Score, Skip, Skipped
from fvhydra.metrics.distance import FrechetMetric, read_features
from fvhydra.metrics.features import FeatureCache
from fvhydra.metrics.functional.audio.windows import Samples, fad_window
from fvhydra.metrics.models.weights import CLAP, PASST
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Input, Spec

if TYPE_CHECKING:
    from fvhydra.metrics.models.clap import Clap

_SOUNDS = {"generated": "audio", "reference": "reference_audio"}
_FILES = {"generated": "audio_features", "reference": "reference_audio_features"}
"""The key that each side is read from."""


def _extractor(value: str) -> str:
    if value == "clap":
        raise ValueError(
            "must be passt or given: audio.frechet_distance is FD_PaSST, as in av-benchmark and FastVideo, and the "
            "distance of CLAP's features is audio.frechet_distance_clap"
        )
    return value


@dataclass
class FrechetDistanceParams(PasstParams):
    """Which features are compared, and by whose rule."""

    extractor: Annotated[str, AfterValidator(_extractor), one_of("passt", "given")] = doc(
        "passt: of the sounds (FD_PaSST); given: of .npy files with features", "passt"
    )
    parity: Annotated[str, one_of("upstream", "peer")] = doc(
        "upstream: seconds of a recording, less their mean, as av-benchmark; peer: 10 s, peak at -1 dBFS, and 1e-6 on "
        "the diagonal of both covariances, as FastVideo",
        "upstream",
    )
    reference_features: str | None = doc(
        "File of features [n, D] (.npy or .pt) that stand in where no sample has a reference", None,
        variable="FASTVIDEO_FAD_REF_FEATURES",
    )  # fmt: skip


@dataclass
class ClapFrechetDistanceParams:
    """By whose rule the features are compared."""

    parity: Annotated[str, one_of("upstream", "peer")] = doc(
        "peer: 1e-6 on the diagonal of both covariances, as FastVideo", "upstream"
    )


class _SoundDistance(FrechetMetric):
    """A sample adds its sound to the generated side and its reference sound, where it has one, to the other; one of the
    role ``reference`` adds its sound to the latter. Features that are not finite are left out and counted.
    """

    @property
    @abstractmethod
    def keys(self) -> Mapping[str, str]:
        """The key that each side is read from."""

    @abstractmethod
    def features(self, path: Path) -> NDArray[np.floating]:
        """``[n, D]`` of a file of a sample.

        Raises:
            Skipped: It is no such file, has no sound, or is silent.
        """

    def check(self, sample: Sample) -> Skip | None:
        keys = self._keys(sample)
        if all(sample.keys.get(key) is None for key in keys.values()):
            return Skip("missing_input", f"the sample has no {' and no '.join(keys.values())}")
        return None

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        files = {side: sample.keys[key] for side, key in self._keys(sample).items() if sample.keys.get(key) is not None}
        return _Reading(self, files)

    def _keys(self, sample: Sample) -> Mapping[str, str]:
        return self.keys if sample.role == "generated" else {"reference": self.keys["generated"]}


class FrechetDistance(_SoundDistance):
    """See :func:`fvhydra.metrics.functional.frechet.frechet_distance`; of PaSST's features, or of files with others.

    Values of other features, or of other seconds, are other quantities. References of samples win over
    ``reference_features``; the result's ``ref_source`` says which were taken.
    """

    spec = Spec(
        id="audio.frechet_distance",
        version=2,
        title="Fréchet audio distance of PaSST's features (FD_PaSST); of CLAP's: audio.frechet_distance_clap",
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
        assets=(replace(PASST, when="extractor=passt"),),
        source="Kilgour et al. 2019; PaSST's features as in av-benchmark",
        rule="Fréchet distance of all features",
        ideal=0.0,
        sees=("shift audio",),
    )

    @property
    def keys(self) -> Mapping[str, str]:
        return _FILES if self.params.extractor == "given" else _SOUNDS

    def setup(self) -> None:
        if self.params.extractor == "passt":
            self._sounds = PasstSounds(self.spec, self.assets, self.params, fad_windows)

    def facts(self) -> Mapping[str, Any]:
        chosen = {"extractor": self.params.extractor}
        if chosen["extractor"] == "given":
            return chosen
        return {**chosen, "seconds": self.params.seconds if self.params.parity == "upstream" else 10.0}

    def stored_references(self) -> Path | None:
        named = self.params.reference_features
        return Path(named).expanduser() if named else None

    def features(self, path: Path) -> NDArray[np.floating]:
        return read_features(path) if self.params.extractor == "given" else self._sounds.outputs(path)[1][None]


class ClapFrechetDistance(_SoundDistance):
    """See :func:`fvhydra.metrics.functional.frechet.frechet_distance`; of CLAP's embeddings of the sounds."""

    spec = Spec(
        id="audio.frechet_distance_clap",
        version=1,
        title="Fréchet audio distance of CLAP's embeddings; of PaSST's features: audio.frechet_distance",
        kind="set",
        direction="lower",
        unit="1",
        low=0.0,
        inputs=(Input("audio", "audio", required=False), Input("reference_audio", "audio", required=False)),
        params=ClapFrechetDistanceParams,
        assets=(CLAP,),
        source="Kilgour et al. 2019; CLAP's features as in fadtk",
        rule="Fréchet distance of all features",
        ideal=0.0,
        sees=("shift audio",),
    )

    @property
    def keys(self) -> Mapping[str, str]:
        return _SOUNDS

    def setup(self) -> None:
        from fvhydra.metrics.models import clap

        folder = self.assets.path(self.spec, CLAP.name)
        self._clap: Clap = self.assets.networks("clap", lambda: clap.load_clap(folder, self.assets.device))
        revision = self.assets.revision(self.spec, CLAP.name)
        self._cache = FeatureCache(self.assets.cache_dir, {"metric": "clap 1", "revision": revision})

    def facts(self) -> Mapping[str, Any]:
        return {"extractor": "clap"}

    def features(self, path: Path) -> NDArray[np.floating]:
        if not path.is_file():  # before its content is asked for
            raise Skipped("unreadable", f"There is no recording {path}.")
        from fvhydra.metrics.models import clap

        content = Sample("", {"file": path}).content(["file"])
        found = self._cache.get(content)
        if found is None:
            found = clap.audio_embedding(self._clap, recording.load_recording(path, clap.RATE_HZ))
            self._cache.put(content, found)
        return found[None]


def fad_windows(samples: Samples) -> list[Samples]:
    """The one window of FastVideo's distance."""
    return [fad_window(samples)]


@plain_dataclass(frozen=True)
class _Reading:
    metric: _SoundDistance
    files: Mapping[str, Path]

    def update(self, chunk: Chunk) -> None:
        """A sound has no frames: nothing is done."""

    def result(self) -> Score:
        return Score(contribution={side: self.metric.features(path) for side, path in self.files.items()})
