# SPDX-License-Identifier: Apache-2.0
"""``audio.desync``: by how much sound and picture are apart, by Synchformer."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import MOST, PositiveFloat, doc, one_of
from fvhydra.metrics.audio import recording
from fvhydra.metrics.base import Chunk, Metric, Reading, SampleVideos, Score, Skipped
from fvhydra.metrics.functional.audio import desync
from fvhydra.metrics.functional.audio.windows import Samples
from fvhydra.metrics.functional.parity import Parity
from fvhydra.metrics.models.weights import SYNCHFORMER
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Input, Output, Spec

if TYPE_CHECKING:
    import torch

    from fvhydra.metrics.models.synchformer import Synchformer

_MB_EACH = 160
"""Of a segment of sixteen frames at full size."""

_SPAN = desync.FRAMES + (desync.SEGMENTS - 1) * desync.FRAME_STEP
"""Frames at 25 fps that fourteen segments have."""

_SAMPLES_PER_FRAME = desync.SAMPLE_STEP // desync.FRAME_STEP
"""At 16 kHz and 25 fps; steps of segments are equally long in both."""

_LEAST_S = _SPAN / desync.VIDEO_FPS


@dataclass
class DesyncParams:
    """Which part of a clip is compared."""

    src_fps: PositiveFloat | None = doc("Frames a second of the clip; null: as the file says", None)
    seconds: Annotated[float, Field(ge=_LEAST_S, le=MOST, allow_inf_nan=False)] = doc(
        "parity=upstream: how much is compared from the start, s; av-benchmark's audio_length", 8.0
    )
    parity: Annotated[str, one_of("upstream", "peer")] = doc(
        "upstream: sound and picture cut to seconds and to the shorter, as av-benchmark; peer: each to its own end, as "
        "FastVideo",
        "upstream",
    )


class AudioDesync(Metric):
    """See :func:`fvhydra.metrics.functional.audio.desync.desync`: 0 to 2 s, in steps of 0.1 s.

    The first and the last fourteen segments of 0.64 s are compared, so that 4.8 s are needed.
    """

    spec = Spec(
        id="audio.desync",
        version=1,
        title="How far sound and picture are apart (Synchformer)",
        kind="sample",
        direction="lower",
        unit="s",
        low=0.0,
        high=2.0,
        inputs=(Input("video", "video"), Input("audio", "audio")),
        outputs=(Output("front_desync_s", unit="s"), Output("back_desync_s", unit="s")),
        params=DesyncParams,
        assets=(SYNCHFORMER,),
        source="av-benchmark; Iashin et al. 2024",
    )

    def setup(self) -> None:
        from fvhydra.metrics.models import synchformer

        path = self.assets.path(self.spec, SYNCHFORMER.name)
        self.network: Synchformer = self.assets.networks(
            "synchformer", lambda: synchformer.load_synchformer(path, self.assets.device)
        )

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        from fvhydra.metrics.models.synchformer.sounds import RATE_HZ

        path: Path = sample.keys["audio"]
        load = recording.load_plain if self.parity == "peer" else recording.load_centred
        return _Reading(self, load(path, RATE_HZ), self.params.src_fps or clip.tracks["video"].fps)

    @property
    def parity(self) -> Parity:
        """By whose rules."""
        return cast(Parity, self.params.parity)


class _Reading:
    """Keeps the prepared frames that stand at 25 fps in the first and in the last fourteen segments."""

    def __init__(self, metric: AudioDesync, samples: Samples, fps: float) -> None:
        if not fps > 0:
            raise Skipped("missing_input", "the clip has no frame rate: set metrics.use.audio.desync.src_fps")
        self._metric, self._samples, self._fps = metric, samples, fps
        self._most = int(MOST)
        if metric.parity == "upstream":
            self._most = min(round(metric.params.seconds * desync.VIDEO_FPS), len(samples) // _SAMPLES_PER_FRAME)
        _require(self._most)
        self._seen, self._next = 0, 0
        self._first: dict[int, torch.Tensor] = {}
        # up to seven frames at the end are in no segment
        self._latest: deque[tuple[int, torch.Tensor]] = deque(maxlen=_SPAN + 2 * desync.FRAME_STEP)
        self._last: tuple[int, torch.Tensor] | None = None

    def update(self, chunk: Chunk) -> bool:
        from fvhydra.metrics.models.synchformer.pictures import preprocess

        frames = chunk.tracks["video"]
        chosen = [index for index in range(chunk.start, chunk.start + len(frames)) if self._stands(index)]
        self._seen = chunk.start + len(frames)
        # the last frame of all stands for what the clip is too short for
        kept = sorted({*chosen, self._seen - 1})
        prepared = preprocess(
            frames[[index - chunk.start for index in kept]], self._metric.parity, self._metric.assets.device
        )
        for index, picture in zip(kept, prepared, strict=True):
            self._last = index, picture
            if index in chosen:
                self._latest.append((index, picture))
                if index <= self._at(_SPAN - 1):
                    self._first[index] = picture
        return self._seen > self._at(self._most - 1)

    def result(self) -> Score:
        import torch

        count = min(self._most, max(desync.FRAMES, round(self._seen / self._fps * desync.VIDEO_FPS)))
        samples = self._samples
        if self._metric.parity == "upstream":
            samples = samples[: count * _SAMPLES_PER_FRAME]
        _require(min(count, len(samples) // _SAMPLES_PER_FRAME))
        pictures, sounds = desync.segment_counts(count, len(samples))
        with torch.inference_mode():
            seen = self._seen_in([range(desync.SEGMENTS), range(pictures - desync.SEGMENTS, pictures)])
            heard = self._heard_in(samples, [range(desync.SEGMENTS), range(sounds - desync.SEGMENTS, sounds)])
            front, back = (
                self._metric.network(*pair)[0].double().cpu().numpy() for pair in zip(seen, heard, strict=True)
            )
        if not (np.isfinite(front).all() and np.isfinite(back).all()):
            raise Skipped("nonfinite", "the network has no finite value for it")
        found = desync.desync(front, back)
        return Score(found.score, {"front_desync_s": found.front_desync_s, "back_desync_s": found.back_desync_s})

    def _at(self, index: int) -> int:
        return desync.frame_at(index, self._fps, self._metric.parity)

    def _stands(self, index: int) -> bool:
        """Whether a frame stands anywhere at 25 fps; asked of each in turn."""
        while self._at(self._next) < index:
            self._next += 1
        return self._next < self._most and self._at(self._next) == index

    def _seen_in(self, parts: list[range]) -> list[torch.Tensor]:
        """Features ``[1, 14, 8, D]`` of each part; a segment of both is looked at once."""
        import torch

        assert self._last is not None
        kept = {**self._first, **dict([*self._latest, self._last])}
        last = max(kept)

        def segment(number: int) -> torch.Tensor:
            indices = (number * desync.FRAME_STEP + place for place in range(desync.FRAMES))
            return torch.stack([kept[min(self._at(index), last)] for index in indices])

        numbers = sorted({number for part in parts for number in part})
        size = max(1, self._metric.assets.memory_mb // _MB_EACH)
        features: dict[int, torch.Tensor] = {}
        for start in range(0, len(numbers), size):
            batch = numbers[start : start + size]
            found = self._metric.network.seen(torch.stack([segment(number) for number in batch]))
            features.update(zip(batch, found, strict=True))
        return [torch.stack([features[number] for number in part])[None] for part in parts]

    def _heard_in(self, samples: Samples, parts: list[range]) -> list[torch.Tensor]:
        """Features ``[1, 14, 6, D]`` of each part."""
        import torch

        from fvhydra.metrics.models.synchformer.sounds import mel_spectrograms

        segments = torch.from_numpy(samples).to(self._metric.assets.device)
        fill = None if self._metric.parity == "peer" else 0.0
        spectrograms = mel_spectrograms(segments.unfold(0, desync.SAMPLES, desync.SAMPLE_STEP), fill)
        return [self._metric.network.heard(spectrograms[part.start : part.stop])[None] for part in parts]


def _require(frames: int) -> None:
    if frames < _SPAN:
        seconds = frames / desync.VIDEO_FPS
        raise Skipped("too_short", f"{seconds:.2f} s of sound and picture; {_LEAST_S:.2f} s are needed")
