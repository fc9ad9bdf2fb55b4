# SPDX-License-Identifier: Apache-2.0
"""Errors for people: a sentence, what to do next, an exit code."""

from __future__ import annotations

import pytest

from fvhydra.core import errors


def test_a_sentence_with_and_without_a_next_step() -> None:
    plain = errors.UsageError("It is wrong.")
    assert (str(plain), plain.message, plain.hint, plain.args) == (
        "It is wrong.",
        "It is wrong.",
        "",
        ("It is wrong.",),
    )
    hinted = errors.UsageError("It is wrong.", "Do this.")
    assert str(hinted) == "It is wrong.\n  Do this." and hinted.hint == "Do this."


def test_what_is_taken_is_listed_in_order() -> None:
    error = errors.Exists(["b", "a"], "Choose others.")
    assert error.paths == ["a", "b"] and error.hint == "Choose others." and errors.Exists([]).hint == ""
    assert error.message == "2 file(s) are already in the store:\n    a\n    b"


def test_a_conflict_keeps_what_both_touched() -> None:
    error = errors.Conflict("It moved.", "Again.", ["b", "a"])
    assert (error.message, error.hint, error.paths) == ("It moved.", "Again.", ["a", "b"])
    assert (errors.Conflict("It moved.").hint, errors.Conflict("It moved.").paths) == ("", [])


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.FvhydraError, 4),
        (errors.UsageError, 2),
        (errors.MediaError, 2),
        (errors.InfrastructureError, 4),
        (errors.StoreError, 4),
        (errors.Exists, 2),
        (errors.Conflict, 2),
        (errors.Corrupt, 4),
        (errors.Unavailable, 4),
        (errors.NotFound, 2),
        (errors.Denied, 2),
        (errors.EngineDied, 4),
        (errors.EngineHung, 4),
    ],
)
def test_each_kind_has_its_exit_code(kind: type[errors.FvhydraError], code: int) -> None:
    assert kind.exit_code == code
