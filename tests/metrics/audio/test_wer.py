# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from fvhydra.core.scores import ScoreRow
from tests.metrics.golden import load
from tests.metrics.running import make, score, skips

GOLDEN = load("wer")


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: repr(case["reference"]))
def test_recorded(case: dict[str, Any]) -> None:
    keys = {"transcript": case["asr_output"], "reference_text": case["reference"], "language": case["language"]}
    found = score(make("audio.wer", parity="peer"), keys)
    assert found.value == pytest.approx(case["result"]["score"], abs=1e-12)
    details = case["result"]["details"]
    for ours, recorded in [("transcription", "transcription"), ("reference_text", "reference_text")]:
        assert found.outputs[ours].strip() == details[recorded].strip()
    assert found.outputs["by_character"] == details["char_level"]


def test_the_prompt_is_what_was_said_only_for_the_peer() -> None:
    keys = {"transcript": "a cat", "text_prompt": "a dog"}
    with skips("missing_input", "reference_text"):
        score(make("audio.wer"), keys)
    assert score(make("audio.wer", parity="peer"), keys).value == 0.5
    with skips("missing_input", "reference_text"):
        score(make("audio.wer", parity="peer"), {"transcript": "a cat"})


def test_a_text_without_words() -> None:
    keys = {"transcript": "a b c", "reference_text": "..."}
    with skips("missing_input", "no words"):
        score(make("audio.wer"), keys)
    assert score(make("audio.wer", parity="peer"), keys).value == 3


def test_the_corpus_counts_errors_and_words() -> None:
    pairs = [("a b c d e f g h", "a b c d e f g x"), ("yes", "no")]
    rates = {}
    for parity in ("upstream", "peer"):
        metric = make("audio.wer", parity=parity)
        found = [score(metric, {"reference_text": text, "transcript": heard}) for text, heard in pairs]
        rows = [ScoreRow(str(each), "audio.wer", 1, "", "", "ok", each.value, outputs=each.outputs) for each in found]
        rates[parity] = metric.corpus(rows).value
    assert rates == {"upstream": 2 / 9, "peer": (1 / 8 + 1) / 2}
