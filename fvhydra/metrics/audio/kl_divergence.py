# SPDX-License-Identifier: Apache-2.0
"""``audio.kl_divergence``: how far the classes of a sound are from those of its reference, by PaSST."""

from __future__ import annotations

from dataclasses import dataclass as plain_dataclass
from pathlib import Path

from fvhydra.metrics.audio.passt_sounds import PasstParams, PasstSounds
from fvhydra.metrics.base import Chunk, Metric, Reading, SampleVideos, Score, Skipped
from fvhydra.metrics.functional.audio.divergence import kl_sigmoid, kl_softmax
from fvhydra.metrics.functional.audio.windows import kl_windows
from fvhydra.metrics.models.weights import PASST
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Input, Output, Spec


class KlDivergence(Metric):
    """See :func:`fvhydra.metrics.functional.audio.divergence.kl_softmax`: of AudioSet's 527 classes, in nats.

    ``kl_sigmoid`` is av-benchmark's second number; it may be negative, and nothing should be ranked by it.
    """

    spec = Spec(
        id="audio.kl_divergence",
        version=1,
        title="Divergence of the sound's classes from the reference's (PaSST)",
        kind="sample",
        direction="lower",
        unit="nat",
        low=0.0,
        inputs=(Input("audio", "audio"), Input("reference_audio", "audio")),
        outputs=(Output("kl_sigmoid", unit="nat"),),
        params=PasstParams,
        assets=(PASST,),
        source="av-benchmark; Koutini et al. 2022",
        ideal=0.0,
        sees=("shift audio",),
    )

    def setup(self) -> None:
        self._sounds = PasstSounds(self.spec, self.assets, self.params, kl_windows)

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        return _Reading(self._sounds, sample.keys["audio"], sample.keys["reference_audio"])


@plain_dataclass(frozen=True)
class _Reading:
    sounds: PasstSounds
    audio: Path
    reference: Path

    def update(self, chunk: Chunk) -> None:
        """A sound has no frames: nothing is done."""

    def result(self) -> Score:
        generated, reference = (self.sounds.outputs(path)[0] for path in (self.audio, self.reference))
        try:
            return Score(kl_softmax(reference, generated), {"kl_sigmoid": kl_sigmoid(reference, generated)})
        except ValueError as error:
            raise Skipped("nonfinite", str(error)) from error
