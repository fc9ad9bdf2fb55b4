# SPDX-License-Identifier: Apache-2.0
"""``audio.imagebind_score``: likeness of sound and picture, by ImageBind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic.dataclasses import dataclass

from fvhydra.metrics.audio import recording
from fvhydra.metrics.base import Assets, Chunk, Metric, Reading, SampleVideos, Score, Skipped, Track
from fvhydra.metrics.functional.audio.imagebind import clip_starts, pair_at
from fvhydra.metrics.functional.audio.windows import Samples
from fvhydra.metrics.models.weights import IMAGEBIND
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Input, Spec

if TYPE_CHECKING:
    import torch

    from fvhydra.metrics.models.imagebind import ImageBind

_RATE_HZ = 16_000
_VIDEO_CLIPS, _AUDIO_CLIPS, _CLIP_S = 5, 3, 2
_MB_EACH = 60
"""Of a pair of frames through ViT-H."""


@dataclass
class ImageBindScoreParams:
    """It has no parameters."""


class ImageBindScore(Metric):
    """Cosine of ImageBind's embeddings of the clip and of its sound, prepared as by ImageBind's own code.

    Five clips of two seconds, of which the first and the last frame in three squares, against three clips of the sound,
    of which the first channel. av-benchmark takes other frames, so that its values are others.
    """

    spec = Spec(
        id="audio.imagebind_score",
        version=1,
        title="Likeness of sound and picture (ImageBind)",
        kind="sample",
        direction="higher",
        unit="1",
        low=-1.0,
        high=1.0,
        inputs=(Input("video", "video"), Input("audio", "audio")),
        params=ImageBindScoreParams,
        assets=(IMAGEBIND,),
        source="Girdhar et al. 2023, as in FastVideo",
    )

    def setup(self) -> None:
        from fvhydra.metrics.models import imagebind

        path = self.assets.path(self.spec, IMAGEBIND.name)
        self._network: ImageBind = self.assets.networks(
            "imagebind", lambda: imagebind.load_imagebind(path, self.assets.device)
        )

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        path: Path = sample.keys["audio"]
        samples = recording.load_first_channel(path, _RATE_HZ)
        return _Reading(self._network, self.assets, samples, clip.tracks["video"])


class _Reading:
    """Keeps the frames that will be looked at; all of them, where the header does not say how many there are."""

    def __init__(self, network: ImageBind, assets: Assets, samples: Samples, track: Track) -> None:
        if not track.fps > 0:
            raise Skipped("missing_input", "the clip has no frame rate")
        self._network, self._assets, self._samples, self._track = network, assets, samples, track
        self._wanted = (
            frozenset(index for pair in self._pairs(track.frames) for index in pair) if track.frames else None
        )
        self._seen = 0
        self._frames: dict[int, torch.Tensor] = {}

    def update(self, chunk: Chunk) -> None:
        from fvhydra.metrics.models.imagebind import preprocess

        frames = chunk.tracks["video"]
        picked = [index for index in range(len(frames)) if self._wanted is None or chunk.start + index in self._wanted]
        self._seen = chunk.start + len(frames)
        if picked:
            prepared = preprocess(frames[picked], self._assets.device)
            self._frames.update(zip((chunk.start + index for index in picked), prepared, strict=True))

    def result(self) -> Score:
        import torch

        if not self._seen:
            raise Skipped("too_short", "the clip has no frames")
        pairs = self._pairs(self._seen)
        if not self._frames.keys() >= {index for pair in pairs for index in pair}:
            raise Skipped(
                "unreadable", f"the clip's header promises {self._track.frames} frames, and there are {self._seen}"
            )
        with torch.inference_mode():
            seen, heard = self._looked_at(pairs), self._listened_to()
        cosine = torch.nn.functional.cosine_similarity(seen, heard, dim=0).item()
        if not np.isfinite(cosine):
            raise Skipped("nonfinite", "the network has no finite value for it")
        return Score(cosine)

    def _pairs(self, frames: int) -> list[tuple[int, int]]:
        duration = frames / self._track.fps
        starts = clip_starts(duration, _CLIP_S, _VIDEO_CLIPS)
        return [pair_at(start, _CLIP_S, self._track.fps, frames) for start in starts]

    def _looked_at(self, pairs: list[tuple[int, int]]) -> torch.Tensor:
        """The mean embedding ``[D]`` of all views."""
        import torch

        from fvhydra.metrics.models.imagebind import crops

        size = max(1, self._assets.memory_mb // _MB_EACH)
        found = []
        for pair in pairs:
            views = crops(torch.stack([self._frames[index] for index in pair], 1)[None])
            found += [self._network.seen(views[start : start + size]) for start in range(0, len(views), size)]
        return torch.cat(found).mean(0)

    def _listened_to(self) -> torch.Tensor:
        """The mean embedding ``[D]`` of the clips of the sound."""
        import torch

        from fvhydra.metrics.models.imagebind import spectrograms

        starts = clip_starts(len(self._samples) / _RATE_HZ, _CLIP_S, _AUDIO_CLIPS)
        bounds = [(int(start * _RATE_HZ), int((start + _CLIP_S) * _RATE_HZ)) for start in starts]
        sounds = torch.from_numpy(np.stack([self._samples[begin:end] for begin, end in bounds]))
        return self._network.heard(spectrograms(sounds.to(self._assets.device))[:, None]).mean(0)
