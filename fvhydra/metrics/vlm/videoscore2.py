# SPDX-License-Identifier: Apache-2.0
"""``vlm.videoscore2``: marks from 1 to 5 for quality, fidelity to the prompt and physics, by a language model."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import Positive, PositiveFloat, doc
from fvhydra.core.errors import InfrastructureError
from fvhydra.metrics.base import Chunk, Metric, Reading, SampleVideos, Score
from fvhydra.metrics.functional import videoscore2
from fvhydra.metrics.models.weights import VIDEOSCORE2
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Input, Output, Spec
from fvhydra.metrics.vlm.shown import ShownFrames

if TYPE_CHECKING:
    from fvhydra.metrics.models.qwen_vl import LanguageModel

_KINDS = ("", "_expected", "_hard")
_LAST = 120


@dataclass
class VideoScore2Params:
    """Which model is asked, what it is shown, and how it answers."""

    model_name: Annotated[str, Field(min_length=1)] = doc(
        "A repository of the Hub, or a folder, with a model of this kind", VIDEOSCORE2.repo
    )
    infer_fps: PositiveFloat = doc("Frames a second that it is shown", 2.0)
    max_tokens: Positive = doc("How long its answer may become, with its reasons", 1024)
    do_sample: bool = doc(
        "Draw its words by chance, by a seed of the clip, as its authors do; false: the likeliest", False
    )
    temperature: PositiveFloat = doc("Of that chance", 0.7)


class VideoScore2(Metric):
    """The mean of three soft marks: the likeliest mark times its share among the five, at the token of the mark.

    A soft mark is no expectation: a 3 of which it is sure by 0.6 is 1.8. The expectations (``*_expected``) and the
    marks as written (``*_hard``) stand beside it. An answer without three marks from 1 to 5 is a failure.
    """

    spec = Spec(
        id="vlm.videoscore2",
        version=1,
        title="Marks for quality, fidelity to the prompt and physics by a language model (VideoScore2)",
        kind="sample",
        direction="higher",
        unit="1",
        low=0.2,
        high=5.0,
        inputs=(Input("video", "video", least_frames=2), Input("text_prompt", "text")),
        outputs=(
            *(Output(f"{name}{kind}", direction="higher") for name in videoscore2.DIMENSIONS for kind in _KINDS),
            Output("expected", direction="higher"),
            Output("hard", direction="higher"),
            Output("raw_output"),
        ),
        params=VideoScore2Params,
        assets=(VIDEOSCORE2,),
        source="He et al. 2025",
    )

    def setup(self) -> None:
        from fvhydra.metrics.models import qwen_vl

        folder = self.weights(VIDEOSCORE2.name)
        self._model: LanguageModel = self.assets.networks(
            ("language model", str(folder)), lambda: qwen_vl.load_model(folder, self.assets.device)
        )

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        return _Reading(self, sample, ShownFrames(clip.tracks["video"], self.params.infer_fps))

    def score(self, frames: NDArray[np.uint8], prompt: str, seed: int) -> Score:
        """Ask about a clip.

        Args:
            frames: uint8 ``[T, H, W, 3]``, as they are shown.
            prompt: What the clip should show.
            seed: Of an answer that is drawn.

        Raises:
            InfrastructureError: The answer has no marks.
        """
        from fvhydra.metrics.models import qwen_vl

        params = self.params
        question: list[str | qwen_vl.Clip] = [
            qwen_vl.Clip(frames, params.infer_fps),
            videoscore2.QUESTION.replace("{prompt}", prompt),
        ]
        temperature = params.temperature if params.do_sample else None
        said = qwen_vl.answer(self._model, question, params.max_tokens, temperature, seed)
        marks, places = videoscore2.parse_marks(said.text), videoscore2.mark_places(said.text)
        if marks is None or places is None or not set(marks.values()) <= set(videoscore2.MARKS):
            raise InfrastructureError(
                f"VideoScore2's answer has not the three marks from 1 to 5; it ends with {said.text[-_LAST:]!r}"
            )
        found: dict[str, float] = {}
        for name, place in places.items():
            logits = said.logits[qwen_vl.token_at(self._model, said, place), self._digits()]
            probabilities = logits.double().softmax(0).numpy()
            found[name] = videoscore2.confident_mark(probabilities)
            found[f"{name}_expected"] = videoscore2.expected_mark(probabilities)
            found[f"{name}_hard"] = float(marks[name])
        means = [fmean(found[f"{name}{kind}"] for name in videoscore2.DIMENSIONS) for kind in _KINDS]
        outputs = {**found, "expected": means[1], "hard": means[2], "raw_output": said.text}
        return Score(means[0], outputs, frames=len(frames))

    def _digits(self) -> list[int]:
        """The tokens of the five marks.

        Raises:
            InfrastructureError: The model's tokenizer has no token for one of them alone.
        """
        tokenizer = self._model.tokenizer
        tokens = [tokenizer.encode(str(mark), add_special_tokens=False) for mark in videoscore2.MARKS]
        if any(len(found) != 1 for found in tokens):
            raise InfrastructureError(f"{self.params.model_name} has no single tokens for the marks from 1 to 5.")
        return [found[0] for found in tokens]


class _Reading:
    def __init__(self, metric: VideoScore2, sample: Sample, frames: ShownFrames) -> None:
        self._metric, self._sample, self._frames = metric, sample, frames

    def update(self, chunk: Chunk) -> None:
        self._frames.update(chunk.start, chunk.tracks["video"])

    def result(self) -> Score:
        prompt = str(self._sample.keys["text_prompt"])
        seed = int(self._sample.content(["video", "text_prompt"])[:8], 16) if self._metric.params.do_sample else 0
        return self._metric.score(self._frames.shown(), prompt, seed)
