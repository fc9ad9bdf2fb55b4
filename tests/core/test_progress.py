# SPDX-License-Identifier: Apache-2.0
"""Lines of progress are parsed as they were formatted."""

from __future__ import annotations

import pytest

from fvhydra.core.progress import Fanout, Silent, Stage, Step, format_stage, format_step, parse_line


@pytest.mark.parametrize("stage", [Stage("load"), Stage("generate", 12, "(1 of 3) a cat | sits"), Stage("compare", 0)])
def test_a_stage_is_read_back(stage: Stage) -> None:
    line = format_stage("2026-11-21T03:15:00Z", stage.stage, stage.case, stage.msg)
    assert parse_line(line) == stage


def test_the_line_is_the_one_that_other_tools_read() -> None:
    line = format_stage("2026-11-21T03:15:00Z", "generate", 3, "two\nlines\x1b[2J")
    assert line == "2026-11-21T03:15:00Z | generate | clip=3 | msg=two lines\ufffd[2J"
    assert format_stage("T", "load") == "T | load | clip=- | msg="


def test_a_step_is_read_back_and_other_lines_are_none() -> None:
    assert parse_line(format_step(3, 8)) == Step(3, 8)
    assert parse_line("step 3 of 8") is None and parse_line("a | b") is None


def test_the_line_of_a_step() -> None:
    assert format_step(3, 8) == "step 3/8"


def test_a_line_with_more_around_it_is_none() -> None:
    line = format_stage("T", "load", 1, "x")
    assert parse_line(f"two {line}") is None and parse_line(line.replace("clip=1", "clip=x")) is None
    assert parse_line(" step 3/8") is None and parse_line("step 3/8 ") is None


class _Listener:
    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    def stage(self, stage: str, case: int | None = None, msg: str = "") -> None:
        self.heard.append((stage, case, msg))

    def step(self, done: int, total: int) -> None:
        self.heard.append((done, total))


def test_everything_is_passed_on_to_everybody_and_errors_let_through() -> None:
    listeners = [_Listener(), _Listener()]
    both = Fanout(Silent(), *listeners)
    both.stage("load")
    both.stage("generate", 0, "a cat")
    both.step(1, 4)
    for listener in listeners:
        assert listener.heard == [("load", None, ""), ("generate", 0, "a cat"), (1, 4)]
    with pytest.raises(KeyboardInterrupt):
        Fanout(_Stops(), listeners[0]).step(2, 4)
    assert listeners[0].heard[-1] == (1, 4)


class _Stops(Silent):
    def step(self, done: int, total: int) -> None:
        raise KeyboardInterrupt
