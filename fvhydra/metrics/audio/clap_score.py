# SPDX-License-Identifier: Apache-2.0
"""``audio.clap_score``: similarity of a sound and its prompt, by CLAP."""

from __future__ import annotations

from dataclasses import dataclass as plain_dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic.dataclasses import dataclass

from fvhydra.metrics.audio import recording
from fvhydra.metrics.base import Chunk, Metric, Reading, SampleVideos, Score
from fvhydra.metrics.models.weights import CLAP
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Input, Spec

if TYPE_CHECKING:
    from fvhydra.metrics.models.clap import Clap


@dataclass
class ClapScoreParams:
    """It has no parameters."""


class ClapScore(Metric):
    """Cosine of CLAP's embeddings of the sound and of the text.

    Of the fused checkpoint, as in FastVideo; the benchmark av-benchmark takes another one, and other seconds.
    """

    spec = Spec(
        id="audio.clap_score",
        version=1,
        title="Likeness of the sound and the prompt (CLAP, fused)",
        kind="sample",
        direction="higher",
        unit="1",
        low=-1.0,
        high=1.0,
        inputs=(Input("audio", "audio"), Input("text_prompt", "text")),
        params=ClapScoreParams,
        assets=(CLAP,),
        source="Wu et al. 2023, as in FastVideo",
        sees=("swap captions",),
    )

    def setup(self) -> None:
        from fvhydra.metrics.models import clap

        folder = self.assets.path(self.spec, CLAP.name)
        self._clap = self.assets.networks("clap", lambda: clap.load_clap(folder, self.assets.device))

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        return _Reading(self._clap, sample.keys["audio"], sample.keys["text_prompt"])


@plain_dataclass(frozen=True)
class _Reading:
    clap: Clap
    audio: Path
    text: str

    def update(self, chunk: Chunk) -> None:
        """A sound has no frames: nothing is done."""

    def result(self) -> Score:
        from fvhydra.metrics.models.clap import RATE_HZ, audio_embedding, text_embedding

        sound = audio_embedding(self.clap, recording.load_recording(self.audio, RATE_HZ))
        return Score(float(sound @ text_embedding(self.clap, self.text)))  # both are of unit length
