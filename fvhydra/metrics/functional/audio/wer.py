# SPDX-License-Identifier: Apache-2.0
"""Errors of a transcript: word error rate, and character error rate where words are not written apart."""

from __future__ import annotations

import re
import string
import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fvhydra.metrics.functional.parity import Parity

PUNCTUATION = string.punctuation + "，。！？、；：「」『』（）《》【】—…"
"""What is deleted. Curly quotes are not among them: they count as errors."""

_DELETED = str.maketrans("", "", PUNCTUATION)
_BY_CHARACTER = re.compile("[\u4e00-\u9fff\u3400-\u4dbf\u3040-\u309f\u30a0-\u30ff\uac00-\ud7af]")
"""CJK ideographs, kana, Hangul syllables."""

_CHARACTER_LANGUAGES = frozenset(
    {"zh", "zho", "chi", "cmn", "yue", "wuu", "nan", "ja", "jpn", "jp", "ko", "kor", "cjk"}
)
_CHARACTER_NAMES = frozenset({"chinese", "mandarin", "cantonese", "japanese", "korean"})
_PEER_CHARACTERS = ("zh", "ja", "jp", "ko", "yue", "cantonese", "cjk")
_PEER_WORDS = ("en", "de", "fr", "es", "it", "pt")


@dataclass(frozen=True)
class WordErrors:
    """The fewest edits that turn a reference into a transcript. Where several ways are shortest, one of them.

    Attributes:
        substitutions: Tokens that were replaced.
        deletions: Tokens of the reference that are missing.
        insertions: Tokens that the reference does not have.
        reference_tokens: Tokens of the reference. Over a corpus, add up errors and tokens, not rates.
    """

    substitutions: int
    deletions: int
    insertions: int
    reference_tokens: int

    @property
    def errors(self) -> int:
        """The number of all edits."""
        return self.substitutions + self.deletions + self.insertions

    def rate(self, parity: Parity = "upstream") -> float:
        """``(S + D + I) / N``; 0 or more, without a bound above, lower is better, 0 for equal texts.

        Args:
            parity: For an empty reference, ``upstream`` refuses to divide by its length, and ``peer`` returns the
                number of edits, as jiwer 4 does.

        Raises:
            ValueError: The reference is empty, and ``parity="upstream"``.
        """
        if self.reference_tokens:
            return self.errors / self.reference_tokens
        if parity == "peer":
            return float(self.errors)
        raise ValueError("the reference has no words, so there is no rate of errors")


def normalise(text: str) -> str:
    """Unicode NFKC, lower case, without :data:`PUNCTUATION`, white space to single spaces.

    As FastVideo's ``audio.wer``: a space before deleted punctuation at the end stays.

    Example:
        >>> normalise("  Hello,  WORLD! ")
        'hello world'
    """
    lowered = unicodedata.normalize("NFKC", text).strip().lower()
    return re.sub(r"\s+", " ", lowered.translate(_DELETED))


def by_character(reference: str, hypothesis: str, language: str | None = None, parity: Parity = "upstream") -> bool:
    """Whether to count characters instead of words: as the language says, or else as the script of either text does.

    Args:
        reference: Normalised.
        hypothesis: Normalised.
        language: A BCP 47 tag or ISO 639 code (``zh-CN``), or one of a few English names (``Japanese``).
        parity: See :func:`language_by_character`.

    Example:
        >>> by_character("hello", "world"), by_character("你好", "你"), by_character("你好", "你", language="en")
        (False, True, False)
    """
    known = language_by_character(language, parity)
    return bool(_BY_CHARACTER.search(reference + hypothesis)) if known is None else known


def language_by_character(language: str | None, parity: Parity = "upstream") -> bool | None:
    """Whether a language is counted by character; None where the hint does not say.

    Args:
        language: See :func:`by_character`.
        parity: ``upstream`` reads the first subtag: Chinese and its relatives, Japanese and Korean are counted by
            character, any other code by word. ``peer`` looks for codes anywhere in the hint, so that ``Chinese`` is
            Spanish (``es``) and counted by word.

    Example:
        >>> [language_by_character(hint) for hint in ("zh-CN", "Japanese", "de", "Elvish")]
        [True, True, False, None]
    """
    if not isinstance(language, str):
        return None
    hint = language.strip().lower()
    if parity == "peer":
        if any(code in hint for code in _PEER_CHARACTERS):
            return True
        return False if any(code in hint for code in _PEER_WORDS) else None
    first = re.split("[-_]", hint)[0]
    if first in _CHARACTER_LANGUAGES | _CHARACTER_NAMES:
        return True
    return False if re.fullmatch("[a-z]{2,3}", first) else None


def tokens(text: str, characters: bool) -> list[str]:
    """The words of a normalised text, or all of its characters that are no space.

    Example:
        >>> tokens("a cat", characters=False), tokens("a cat", characters=True)
        (['a', 'cat'], ['a', 'c', 'a', 't'])
    """
    return [character for character in text if not character.isspace()] if characters else text.split()


def count_errors(reference: list[str], hypothesis: list[str]) -> WordErrors:
    """Align two lists of tokens with the fewest substitutions, deletions and insertions (Levenshtein).

    Example:
        >>> count_errors(["a", "black", "cat"], ["a", "cat", "sat"])
        WordErrors(substitutions=2, deletions=0, insertions=0, reference_tokens=3)
    """
    costs = _costs(reference, hypothesis)
    row, column = len(reference), len(hypothesis)
    substitutions = deletions = insertions = 0
    while row or column:
        here = costs[row, column]
        if row and column and here == costs[row - 1, column - 1] + (reference[row - 1] != hypothesis[column - 1]):
            substitutions += reference[row - 1] != hypothesis[column - 1]
            row, column = row - 1, column - 1
        elif row and here == costs[row - 1, column] + 1:
            deletions, row = deletions + 1, row - 1
        else:
            insertions, column = insertions + 1, column - 1
    return WordErrors(substitutions, deletions, insertions, len(reference))


def word_errors(
    reference: str, hypothesis: str, language: str | None = None, parity: Parity = "upstream"
) -> WordErrors:
    """Compare a transcript with what was said.

    Args:
        reference: What was said, as written.
        hypothesis: What was recognised.
        language: A hint, see :func:`by_character`.
        parity: How the hint is read, see :func:`language_by_character`.

    Example:
        >>> found = word_errors("A black cat.", "a cat")
        >>> found.errors, found.rate()
        (1, 0.3333333333333333)
    """
    texts = normalise(reference), normalise(hypothesis)
    characters = by_character(*texts, language, parity)
    return count_errors(*(tokens(text, characters) for text in texts))


def _costs(reference: list[str], hypothesis: list[str]) -> NDArray[np.int32]:
    """Edits between all prefixes: int32 ``[N + 1, M + 1]``."""
    numbers = {token: number for number, token in enumerate(dict.fromkeys(reference + hypothesis))}
    heard = np.asarray([numbers[token] for token in hypothesis], np.int32)
    steps = np.arange(len(hypothesis) + 1, dtype=np.int32)
    costs = np.empty((len(reference) + 1, len(steps)), np.int32)
    costs[0] = steps
    for row, token in enumerate(reference, start=1):
        before = costs[row - 1]
        costs[row] = before + 1
        costs[row, 1:] = np.minimum(costs[row, 1:], before[:-1] + (heard != numbers[token]))
        # an insertion costs one more than the cell to its left: a running minimum once the slope is taken out
        costs[row] = np.minimum.accumulate(costs[row] - steps) + steps
    return costs
