# SPDX-License-Identifier: Apache-2.0
"""``audio.audiobox_aesthetics``: marks of a sound without any reference, by Audiobox Aesthetics."""

from __future__ import annotations

import math
from dataclasses import dataclass as plain_dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic.dataclasses import dataclass

from fvhydra.metrics.audio import recording
from fvhydra.metrics.base import Chunk, Metric, Reading, SampleVideos, Score, Skipped
from fvhydra.metrics.models.weights import AUDIOBOX
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Input, Output, Spec

if TYPE_CHECKING:
    from fvhydra.metrics.models.audiobox import Marks


@dataclass
class AudioboxAestheticsParams:
    """It has no parameters."""


class AudioboxAesthetics(Metric):
    """Production quality, about 1 to 10; beside it the enjoyment, usefulness and complexity of the content.

    The mean of the channels in windows of 10 s, each counted by how much of it is sound.
    """

    spec = Spec(
        id="audio.audiobox_aesthetics",
        version=1,
        title="Production quality of the sound, about 1 to 10",
        kind="sample",
        direction="higher",
        unit="1",
        inputs=(Input("audio", "audio"),),
        outputs=(Output("CE", direction="higher"), Output("CU", direction="higher"), Output("PC")),
        params=AudioboxAestheticsParams,
        assets=(AUDIOBOX,),
        source="Tjandra et al. 2025",
    )

    def setup(self) -> None:
        from fvhydra.metrics.models import audiobox

        folder = self.assets.path(self.spec, AUDIOBOX.name)
        self._marks: Marks = self.assets.networks(
            "audiobox", lambda: audiobox.load_audiobox(folder, self.assets.device)
        )

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        return _Reading(self._marks, sample.keys["audio"])


@plain_dataclass(frozen=True)
class _Reading:
    loaded: Marks
    audio: Path

    def update(self, chunk: Chunk) -> None:
        """A sound has no frames: nothing is done."""

    def result(self) -> Score:
        from fvhydra.metrics.models.audiobox import RATE_HZ, marks

        found = marks(self.loaded, recording.load_mixed(self.audio, RATE_HZ))
        if not all(map(math.isfinite, found.values())):
            raise Skipped("nonfinite", f"{self.audio.name}: the network has no finite value for it")
        return Score(found.pop("PQ"), found)
