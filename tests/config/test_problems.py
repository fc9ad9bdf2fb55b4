# SPDX-License-Identifier: Apache-2.0
"""How wrong values are told to people."""

from __future__ import annotations

import pydantic
import pytest

from fvhydra.config.problems import ConfigError, first_problem, listing, nearest


def test_one_problem_stands_alone_and_several_below_a_heading() -> None:
    assert listing(["A."]) == "A."
    assert listing(["A.", "B."]) == "The configuration has 2 problems:\n    - A.\n    - B."
    error = ConfigError(["A.", "B."])
    assert error.problems == ["A.", "B."] and str(error) == listing(["A.", "B."])


def test_the_nearest_word_is_asked_for() -> None:
    assert nearest("ltx3", ["wan", "ltx2"]) == " Did you mean 'ltx2'?"
    assert nearest("zzz", ["wan", "ltx2"]) == nearest("x", []) == ""
    assert nearest("abcde", iter(["abcxy", "vwxyz"])) == " Did you mean 'abcxy'?"  # six tenths are enough
    assert nearest("abcde", ["abxyz"]) == ""


def test_the_first_wrong_key_of_a_record_is_named() -> None:
    class Record(pydantic.BaseModel):
        sizes: list[int]
        name: str

    for value, says in (
        (
            {"sizes": [1, "x"], "name": 1},
            "sizes.1 is 'x': Input should be a valid integer, unable to parse string as an integer",
        ),
        ([], "it is []: Input should be a valid dictionary or instance of Record"),
    ):
        with pytest.raises(pydantic.ValidationError) as refused:
            Record.model_validate(value)
        assert first_problem(refused.value) == says
    with pytest.raises(pydantic.ValidationError) as refused:
        Record.model_validate({"sizes": [], "name": ["x" * 1000]})
    assert len(first_problem(refused.value)) < 150  # what is there is cut short
