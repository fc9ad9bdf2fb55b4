# SPDX-License-Identifier: Apache-2.0
"""``vbench.appearance_style``: similarity of each frame and the words of a style, by CLIP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import doc, one_of
from fvhydra.core.scores import ScoreRow
from fvhydra.metrics.base import Chunk, Metric, Reading, SampleVideos, Score, Skip
from fvhydra.metrics.functional.vbench.recognition import text_similarity
from fvhydra.metrics.models.weights import CLIP_B32
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.series import SeriesReading
from fvhydra.metrics.spec import Input, Output, Spec


@dataclass
class AppearanceStyleParams:
    """Which words a frame is compared with."""

    parity: Annotated[str, one_of("upstream", "peer")] = doc(
        "upstream: the style that auxiliary_info names, and frames through Pillow; peer: all of text_prompt, frames "
        "without antialiasing, as FastVideo",
        "upstream",
    )


class AppearanceStyle(Metric):
    """Cosine of CLIP's embeddings of each frame and of the style, mean over the frames.

    The style is ``auxiliary_info.appearance_style``, such as ``Van Gogh style``. VBench scales with Pillow here,
    and tensors without antialiasing where it compares frames with each other.
    """

    spec = Spec(
        id="vbench.appearance_style",
        version=1,
        title="Likeness of the frames and the named style (CLIP ViT-B/32)",
        kind="sample",
        direction="higher",
        unit="1",
        low=-1.0,
        high=1.0,
        inputs=(
            Input("video", "video"),
            Input("auxiliary_info", "data", required=False),
            Input("text_prompt", "text", required=False),
        ),
        outputs=(Output("per_frame", direction="higher", per="frame"),),
        params=AppearanceStyleParams,
        assets=(CLIP_B32,),
        source="VBench (Huang et al. 2024); Radford et al. 2021",
        rule="mean of all frames; parity=peer: mean",
        comparable_to=("vbench",),
    )

    @property
    def comparable_to(self) -> tuple[str, ...]:
        return self.spec.comparable_to if self.params.parity == "upstream" else ()

    def setup(self) -> None:
        from fvhydra.metrics.models import clip

        folder = self.assets.path(self.spec, CLIP_B32.name)
        device, networks = self.assets.device, self.assets.networks
        self._tower = networks("clip_b32", lambda: clip.load_clip(folder, device))
        self._text = networks("clip_b32 text", lambda: clip.load_text(folder, device))

    def check(self, sample: Sample) -> Skip | None:
        skip = super().check(sample)
        if skip is None and not self._words(sample):
            lacking = "text_prompt" if self.params.parity == "peer" else "auxiliary_info.appearance_style"
            return Skip("missing_input", f"the sample has no {lacking}")
        return skip

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        from fvhydra.metrics.models.clip import text_features

        text = text_features(self._text, self._words(sample))
        return SeriesReading(lambda chunk: self._likeness(chunk, text))

    def corpus(self, rows: Sequence[ScoreRow]) -> Score:
        if self.params.parity == "peer":
            return super().corpus(rows)
        counted = [(row.value, row.frames) for row in rows if row.value is not None and row.frames]
        return Score(sum(value * frames for value, frames in counted) / sum(frames for _, frames in counted))

    def _likeness(self, chunk: Chunk, text: NDArray[np.float32]) -> NDArray[np.float64]:
        from fvhydra.metrics.models import clip

        prepare = clip.preprocess if self.params.parity == "peer" else clip.preprocess_pictures
        found = clip.features(self._tower, chunk.tracks["video"], self.assets.memory_mb, prepare)
        return text_similarity(found, text)

    def _words(self, sample: Sample) -> str:
        """What the frames are compared with; empty where nothing says it."""
        if self.params.parity == "peer":
            return str(sample.keys.get("text_prompt") or "")
        told = sample.keys.get("auxiliary_info")
        style = told.get("appearance_style") if isinstance(told, Mapping) else None
        return style.strip() if isinstance(style, str) else ""
