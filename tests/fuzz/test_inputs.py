# SPDX-License-Identifier: Apache-2.0
"""Inputs from strangers: a few of each class, all of them with the page that says so, and a break that is caught."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz import inputs, page
from tests.fuzz.place import DAMAGE, NAMED, REFUSED, Place


@pytest.mark.slow
def test_a_few_of_each_class_with_another_seed() -> None:
    rows = inputs.run(seed=1, count=60)
    assert [row.what for row in rows] == list(inputs.CLASSES) and all(row.number for row in rows)


@pytest.mark.slow
def test_a_thousand_inputs_are_refused_or_named_and_the_page_says_so() -> None:
    rows = inputs.run(page.SEED, page.INPUTS)
    assert sum(row.number for row in rows) >= 1000
    assert page.counted(page.shown(rows)) == page.counted(page.written("inputs")), "make fuzz renews the page"


class _Program:
    """Ends as it is told, in place of a command."""

    def __init__(self, code: int, said: str = "", does: Callable[[Path], Any] = lambda _: None) -> None:
        self._code, self._said, self._does = code, said, does

    def run(self, words: Any, folder: Path, environment: Any, streams: Any, timeout_s: float) -> int:
        self._does(folder)
        streams[1].write(self._said.encode())
        return self._code


def _hangs(folder: Path) -> None:
    raise subprocess.TimeoutExpired(["x"], 1)


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (_Program(1, "Traceback (most recent call last)"), "Traceback"),
        (_Program(4, "KeyError: 'x'\n  The traceback is in outputs/x/status/error.log."), "traceback"),
        (_Program(-11), "-> -11"),
        (_Program(0, does=_hangs), "hangs"),
        (_Program(0, does=lambda work: (work.parent / "outside" / "canary").write_text("x")), "outside was touched"),
        (_Program(0, does=lambda work: (work.parent / "home" / "x").write_text("x")), "home was touched"),
        (_Program(0, does=lambda work: (work / "ran").mkdir()), "left"),
        (_Program(2, does=lambda work: (work / "outputs").mkdir()), "exit 2, and yet there is"),
    ],
)
def test_a_broken_promise_is_caught(tmp_path: Path, program: Any, says: str) -> None:
    place = Place(tmp_path / "place", tmp_path, program)
    place.make()
    with pytest.raises(AssertionError, match=says):
        place.tried(["x"])


def test_kept_promises_are_counted(tmp_path: Path) -> None:
    for code, outcome in ((0, NAMED), (1, NAMED), (2, REFUSED), (3, NAMED), (4, DAMAGE), (5, NAMED)):
        place = Place(tmp_path / "place", tmp_path, _Program(code))  # type: ignore[arg-type]
        place.make()
        assert place.tried(["x"]) == outcome
