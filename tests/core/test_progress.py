# SPDX-License-Identifier: Apache-2.0
"""Lines of progress are parsed as they were formatted."""

from __future__ import annotations

import pytest

from fvhydra.core.progress import Stage, Step, format_stage, format_step, parse_line


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
