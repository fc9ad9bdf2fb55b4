# SPDX-License-Identifier: Apache-2.0
"""``audio.wer``: word error rate of a given transcript against the reference text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, cast

from pydantic.dataclasses import dataclass

from fvhydra.config.fields import doc, one_of
from fvhydra.core.scores import ScoreRow
from fvhydra.metrics.base import Chunk, Metric, Reading, SampleVideos, Score, Skip, Skipped
from fvhydra.metrics.functional.audio.wer import by_character, normalise, word_errors
from fvhydra.metrics.functional.parity import Parity
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.spec import Input, Output, Spec


@dataclass
class WerParams:
    """By whose rules a transcript is compared."""

    parity: Annotated[str, one_of("upstream", "peer")] = doc(
        "upstream: language codes are read as such, an empty reference_text is skipped; peer: FastVideo's reading of "
        "codes, an empty text counts edits, and text_prompt stands in for a missing one",
        "upstream",
    )


class WordErrorRate(Metric):
    """Errors per word, or per character in scripts that do not separate words; see
    :func:`fvhydra.metrics.functional.audio.wer.word_errors`.
    """

    spec = Spec(
        id="audio.wer",
        version=1,
        title="Errors of a given transcript, per word (or character) of what should be said",
        kind="sample",
        direction="lower",
        unit="1",
        low=0.0,
        inputs=(
            Input("transcript", "text"),
            Input("reference_text", "text", required=False),
            Input("text_prompt", "text", required=False),
            Input("language", "text", required=False),
        ),
        outputs=(
            *(Output(name) for name in ("substitutions", "deletions", "insertions", "reference_tokens")),
            Output("reference_text"),
            Output("transcription"),
            Output("by_character"),
        ),
        params=WerParams,
        source="FastVideo's evaluation, with the rates of jiwer",
        rule="all errors over all words; parity=peer: mean",
        ideal=0.0,
        sees=("swap captions",),
    )

    def check(self, sample: Sample) -> Skip | None:
        skip = super().check(sample)
        if skip is None and self._expected(sample) is None:
            return Skip("missing_input", "the sample has no reference_text")
        return skip

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        keys = sample.keys
        return _Reading(str(self._expected(sample)), str(keys["transcript"]), keys.get("language"), self._parity)

    def corpus(self, rows: Sequence[ScoreRow]) -> Score:
        if self._parity == "peer":
            return super().corpus(rows)
        errors = sum(row.outputs[name] for row in rows for name in ("substitutions", "deletions", "insertions"))
        return Score(errors / sum(row.outputs["reference_tokens"] for row in rows))

    @property
    def _parity(self) -> Parity:
        return cast(Parity, self.params.parity)

    def _expected(self, sample: Sample) -> str | None:
        text = sample.keys.get("reference_text")
        return sample.keys.get("text_prompt") if text is None and self._parity == "peer" else text


class _Reading:
    def __init__(self, expected: str, transcript: str, language: str | None, parity: Parity) -> None:
        self._texts = expected, transcript
        self._language = language
        self._parity = parity

    def update(self, chunk: Chunk) -> None:
        pass

    def result(self) -> Score:
        errors = word_errors(*self._texts, self._language, self._parity)
        expected, heard = (normalise(text) for text in self._texts)
        try:
            rate = errors.rate(self._parity)
        except ValueError as error:
            raise Skipped("missing_input", str(error)) from error
        return Score(
            rate,
            {
                **vars(errors),
                "reference_text": expected,
                "transcription": heard,
                "by_character": by_character(expected, heard, self._language, self._parity),
            },
        )
