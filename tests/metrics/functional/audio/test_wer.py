# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fvhydra.metrics.functional.audio import wer
from tests.metrics.golden import load

GOLDEN = load("wer")


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: repr(case["reference"]))
def test_recorded(case: dict[str, Any]) -> None:
    texts = wer.normalise(case["reference"]), wer.normalise(case["asr_output"])
    characters = wer.by_character(*texts, case["language"], parity="peer")
    prepared = [" ".join(wer.tokens(text, characters)) for text in texts]
    assert [*prepared, characters] == case["prepared"]
    errors = wer.word_errors(case["reference"], case["asr_output"], case["language"], parity="peer")
    assert errors.rate(parity="peer") == pytest.approx(case["result"]["score"], abs=1e-12)


def test_recorded_normalisation() -> None:
    assert GOLDEN["punctuation"] == wer.PUNCTUATION
    assert {text: wer.normalise(text) for text in GOLDEN["normalize"]} == GOLDEN["normalize"]


def test_recorded_scripts() -> None:
    assert {text: wer.by_character(text, "") for text in GOLDEN["contains_cjk"]} == GOLDEN["contains_cjk"]


@pytest.mark.parametrize(("hint", "expected"), GOLDEN["char_level_from_language"])
def test_recorded_hints(hint: Any, expected: bool | None) -> None:
    assert wer.language_by_character(hint, parity="peer") is expected


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        *[("Chinese", True), ("cmn", True), ("zh-Hant-TW", True), ("ja_JP", True), ("kok", False), ("es", False)],
        *[("vi", False), ("German", None), ("", None), (None, None)],
    ],
)
def test_hints_are_tags(hint: str | None, expected: bool | None) -> None:
    assert wer.language_by_character(hint) is expected


def test_a_hint_that_the_peer_misreads() -> None:
    pair = "你好 世界", "你坏 世界"
    assert wer.word_errors(*pair, "Chinese").rate() == 0.25
    assert wer.word_errors(*pair, "Chinese", parity="peer").rate() == 0.5


def test_kinds_of_errors() -> None:
    assert wer.word_errors("a b c d", "a x c d e") == wer.WordErrors(1, 0, 1, 4)
    assert wer.word_errors("a b c d", "a d") == wer.WordErrors(0, 2, 0, 4)
    assert wer.word_errors("", "a b") == wer.WordErrors(0, 0, 2, 0)


def test_equal_texts_are_ideal_and_each_mistake_counts() -> None:
    text = [f"word{index}" for index in range(40)]
    order = np.random.default_rng(0).permutation(40)
    rates = []
    for mistakes in (0, 1, 5, 40):
        wrong = {int(index) for index in order[:mistakes]}
        heard = " ".join("other" if index in wrong else word for index, word in enumerate(text))
        rates.append(wer.word_errors(" ".join(text), heard).rate())
    assert rates == [0, 1 / 40, 5 / 40, 1]


def test_the_distance_is_the_shortest() -> None:
    def shortest(a: list[str], b: list[str]) -> int:
        row = list(range(len(b) + 1))
        for i, x in enumerate(a, 1):
            last, row[0] = row[0], i
            for j, y in enumerate(b, 1):
                last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
        return row[-1]

    random = np.random.default_rng(1)
    for _ in range(100):
        a, b = ([str(token) for token in random.integers(0, 4, random.integers(0, 12))] for _ in range(2))
        found = wer.count_errors(a, b)
        assert found.errors == shortest(a, b)
        assert len(a) - found.deletions + found.insertions == len(b)


def test_no_words_no_rate() -> None:
    errors = wer.word_errors("...", "hello")
    assert errors.rate(parity="peer") == 1
    with pytest.raises(ValueError, match="no words"):
        errors.rate()
