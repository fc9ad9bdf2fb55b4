# SPDX-License-Identifier: Apache-2.0
"""Nothing but the exact phrase is a yes."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from fvhydra.core.errors import UsageError
from fvhydra.review.confirm import Confirmation, as_word, confirmed, refuse_wrong_words

TWO = ["confirm reseed", "upload"]


def _answers(*typed: str) -> tuple[Callable[[str], str], list[str]]:
    left, questions = list(typed), []

    def ask(question: str) -> str:
        questions.append(question)
        return left.pop(0)

    return ask, questions


def test_what_a_command_says_is_taken_from_the_options_of_its_op() -> None:
    op = SimpleNamespace(confirm=["upload"], bootstrap=True)
    said = Confirmation.of(op, ("confirm reseed",), ("fvhydra", "op=reseed_ssim"))
    assert said == Confirmation(["upload"], True, ["confirm reseed"], ["fvhydra", "op=reseed_ssim"])
    for without in (SimpleNamespace(), SimpleNamespace(confirm=None, bootstrap=False)):
        assert Confirmation.of(without, [], []) == Confirmation([], False, [], [])
    assert Confirmation() == Confirmation([], False, [], [])


def test_the_phrases_are_written_as_they_are_typed() -> None:
    assert as_word(["upload"]) == "op.confirm=upload"
    assert as_word(TWO) == "op.confirm=[confirm reseed, upload]"


@pytest.mark.parametrize(
    ("given", "shown"),
    [(["yes"], "yes"), (["Upload"], "Upload"), ([1, 2], "[1, 2]"), (["upload"] * 2, "[upload, upload]")],
)
def test_other_words_are_refused_with_the_right_ones(given: list[str], shown: str) -> None:
    with pytest.raises(UsageError) as refused:
        confirmed(["upload"], Confirmation(given), None)
    assert refused.value.message == f"op.confirm={shown} is not what confirms this change, so nothing was done."
    assert refused.value.hint == "Say it exactly: op.confirm=upload, or leave it away to look first."


def test_one_of_two_phrases_is_not_enough() -> None:
    with pytest.raises(UsageError, match=r"op\.confirm=upload is not what confirms"):
        refuse_wrong_words(["upload"], TWO)
    refuse_wrong_words(["upload", "confirm reseed"], TWO)
    refuse_wrong_words([], TWO)


def test_what_may_be_said_afterwards_may_be_said_beforehand_with_the_rest_and_not_instead() -> None:
    refuse_wrong_words(["upload", "confirm reseed", "clean up"], TWO, "clean up")
    refuse_wrong_words(["upload", "confirm reseed"], TWO, "clean up")
    for wrong in (["clean up"], ["upload", "confirm reseed", "clean"], ["upload", "clean up"]):
        with pytest.raises(UsageError, match="is not what confirms"):
            refuse_wrong_words(wrong, TWO, "clean up")
    with pytest.raises(UsageError, match="is not what confirms"):
        refuse_wrong_words(["upload", "confirm reseed", ""], TWO)


def test_nobody_is_asked_where_everything_was_said_beforehand() -> None:
    ask, questions = _answers()
    assert confirmed(["upload"], Confirmation(["upload"]), ask)
    assert confirmed(TWO, Confirmation(typed=["upload", "confirm reseed"]), ask)
    assert questions == []


def test_without_a_terminal_nothing_is_confirmed() -> None:
    assert not confirmed(["upload"], Confirmation(), None)
    assert not confirmed(TWO, Confirmation(typed=["upload"]), None)


def test_each_phrase_that_was_not_said_is_asked_for_with_what_is_told_before_it() -> None:
    ask, questions = _answers("upload")
    assert confirmed(
        TWO, Confirmation(typed=["confirm reseed"]), ask, {"upload": "2 files\n", "confirm reseed": "old\n"}
    )
    assert questions == ["2 files\nType exactly 'upload' to go on, anything else to leave it prepared: "]
    ask, questions = _answers("confirm reseed", "upload")
    assert confirmed(TWO, Confirmation(), ask)
    assert questions == [
        f"Type exactly '{phrase}' to go on, anything else to leave it prepared: "
        for phrase in ("confirm reseed", "upload")
    ]


@pytest.mark.parametrize("typed", [["upload"], ["", ""], ["confirm reseed", "uploa"], ["Confirm reseed"]])
def test_anything_else_leaves_it(typed: list[str]) -> None:
    ask, questions = _answers(*typed)
    assert not confirmed(TWO, Confirmation(), ask)
    assert len(questions) == (2 if typed[0] == TWO[0] else 1)  # a wrong answer ends it
