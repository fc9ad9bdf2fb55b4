# SPDX-License-Identifier: Apache-2.0
"""``common.fvd``: the Fréchet video distance of the generated clips and the references."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import Positive, doc, one_of
from fvhydra.metrics.base import Alignment, Chunk, Reading, SampleVideos, Score, Skipped
from fvhydra.metrics.distance import FrechetMetric
from fvhydra.metrics.features import FeatureCache
from fvhydra.metrics.models.weights import CLIP_B32, I3D, VIDEOMAE_BASE
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Asset, Input, Spec

if TYPE_CHECKING:
    import torch

    from fvhydra.metrics.models.videos import VideoEncoder

_ASSETS: Mapping[str, Asset] = {
    name: replace(asset, when=f"extractor={name}")
    for name, asset in {"i3d": I3D, "clip": CLIP_B32, "videomae": VIDEOMAE_BASE}.items()
}
"""Extractor to its weights; in :mod:`fvhydra.metrics.models.videos` the function of that name loads it."""


@dataclass
class FvdParams:
    """Which frames of a clip are compared, and by which network."""

    extractor: Annotated[str, one_of(*_ASSETS)] = doc("Features: i3d (the usual FVD), clip, videomae", "i3d")
    frames: Annotated[int, Field(gt=0, le=10_000)] = doc("How many frames of a clip; shorter ones are skipped", 16)
    stride: Positive = doc("Every how many frames one is taken, from the first", 1)
    parity: Annotated[str, one_of("upstream", "peer")] = doc(
        "peer: every frame of a clip, and 1e-6 on the diagonal of both covariances, as FastVideo", "upstream"
    )


class Fvd(FrechetMetric):
    """See :func:`fvhydra.metrics.functional.frechet.frechet_distance`.

    A sample adds its ``video`` to the generated side and its ``reference``, where it has one, to the reference side; a
    sample of the role ``reference`` only feeds the latter. Distances of other extractors, frames or strides are other
    quantities.
    """

    spec = Spec(
        id="common.fvd",
        version=1,
        title="Fréchet video distance between the generated clips and the references",
        kind="set",
        direction="lower",
        unit="1",
        low=0.0,
        inputs=(Input("video", "video"), Input("reference", "video", required=False)),
        params=FvdParams,
        assets=tuple(_ASSETS.values()),
        source="Unterthiner et al. 2018; I3D and its input as in StyleGAN-V",
        rule="Fréchet distance of all features",
        ideal=0.0,
        sees=("hue shift", "blur", "noise"),
    )

    @property
    def alignment(self) -> Alignment:
        return "free"

    def setup(self) -> None:
        from fvhydra.metrics.models import videos

        extractor, asset = self.params.extractor, _ASSETS[self.params.extractor]
        path, device = self.assets.path(self.spec, asset.name), self.assets.device
        self.encoder: VideoEncoder = getattr(videos, extractor)(path, device, self.assets.networks)
        if self.params.parity == "upstream" and not self.encoder.takes(self.params.frames):
            raise Skipped(
                "shape",
                f"{extractor} takes {self.encoder.frames}, and metrics.use.common.fvd.frames is {self.params.frames}",
            )
        revision = self.assets.revision(self.spec, asset.name)
        self.cache = FeatureCache(self.assets.cache_dir, {"metric": "fvd 1", "revision": revision, **self.facts()})

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        sides = (
            {"video": "generated", "reference": "reference"} if sample.role == "generated" else {"video": "reference"}
        )
        present = {key: side for key, side in sides.items() if sample.keys.get(key) is not None}
        return _Reading({key: _View(self, key, sample) for key in present}, present)

    def picked(self, start: int, count: int) -> range:
        """Which of ``count`` frames, the first of which has the index ``start``, are looked at; counted from 0."""
        if self.params.parity == "peer":
            return range(count)
        stride = self.params.stride
        return range(-start % stride, min(count, self.params.frames * stride - start), stride)

    def is_enough(self, frames: int) -> bool:
        """Whether this many frames are as many as are used."""
        return bool(self.params.parity == "upstream" and frames >= self.params.frames)

    def facts(self) -> Mapping[str, Any]:
        chosen = {"extractor": self.params.extractor}
        if self.params.parity == "peer":
            return {**chosen, "frames": "all"}
        return {**chosen, "frames": self.params.frames, "stride": self.params.stride}

    def encode(self, pictures: list[torch.Tensor], key: str) -> NDArray[np.float32]:
        """The features ``[D]`` of a clip, of its prepared frames.

        Raises:
            Skipped: Fewer frames than are asked for, or another number than the network takes.
        """
        import torch

        count = sum(map(len, pictures))
        if self.params.parity == "upstream" and not self.is_enough(count):
            least = (self.params.frames - 1) * self.params.stride + 1
            raise Skipped("too_short", f"{key} has fewer than the {least} frames that are needed")
        if not self.encoder.takes(count):
            raise Skipped("shape", f"{self.params.extractor} takes {self.encoder.frames}, and {key} has {count}")
        return self.encoder.encode(torch.cat(pictures))


class _View:
    """One video of a sample: features from the cache, or pictures until there are enough for them."""

    def __init__(self, metric: Fvd, key: str, sample: Sample) -> None:
        self._metric, self._key = metric, key
        self._content = Sample("", {"file": sample.keys[key]}).content(["file"])
        self._features = metric.cache.get(self._content)
        self._pictures: list[torch.Tensor] = []

    def update(self, start: int, frames: NDArray[np.uint8]) -> None:
        picked = self._metric.picked(start, len(frames))
        if self._features is None and picked:
            self._pictures.append(self._metric.encoder.preprocess(frames[picked.start : picked.stop : picked.step]))

    def is_complete(self) -> bool:
        return self._features is not None or self._metric.is_enough(sum(map(len, self._pictures)))

    def features(self) -> NDArray[np.float32]:
        if self._features is None:
            self._features = self._metric.encode(self._pictures, self._key)
            self._metric.cache.put(self._content, self._features)
        return self._features


class _Reading:
    """Collects the features of a sample's videos, each for the generated or the reference side."""

    def __init__(self, views: Mapping[str, _View], sides: Mapping[str, str]) -> None:
        self._views, self._sides = views, sides

    def update(self, chunk: Chunk) -> bool:
        for key, frames in chunk.tracks.items():
            if key in self._views:
                self._views[key].update(chunk.start, frames)
        return all(view.is_complete() for view in self._views.values())

    def result(self) -> Score:
        rows = {self._sides[key]: view.features()[None] for key, view in self._views.items()}
        return Score(contribution=dict(rows))
