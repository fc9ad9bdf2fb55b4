# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fvhydra.core.artifacts import PixelComparison
from fvhydra.core.result import RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.report.measures import measured_values, worst_first, worst_misses
from fvhydra.report.wording import number
from fvhydra.terminal import Terminal
from tests.report.run_folders import pixel_case


@pytest.mark.parametrize(
    ("values", "name", "text"),
    [
        ([30.0, 40.0], "mean common.psnr", "35.0000"),
        ([30.0, None], "mean common.psnr without 1 infinite frame(s)", "30.0000"),
        ([None, None], "mean common.psnr", "infinite"),
    ],
)
def test_a_mean_says_which_frames_are_not_in_it(values: list[Any], name: str, text: str) -> None:
    case = pixel_case(0, Verdict.PASS, "A cat.", [1.0, 1.0])
    assert isinstance(case.comparison, PixelComparison)
    case.comparison = replace(case.comparison, metrics={"common.psnr": values})
    [found] = [measure for measure in measured_values(case) if measure.key == "common.psnr"]
    assert (found.name, number(found.value)) == (name, text)


def test_a_number_of_zero_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    case = pixel_case(0, Verdict.PASS, "A cat.", [1.0, 1.0])
    assert isinstance(case.comparison, PixelComparison)
    case.comparison = replace(case.comparison, metrics={"common.ssim": [0.0, 0.0]})
    Terminal().result(RunResult("check_ssim", Verdict.PASS, cases=[case]), None)
    assert "mean common.ssim 0\n" in capsys.readouterr().out


def test_the_case_of_the_headline_comes_first() -> None:
    """Of two that fail, the one whose worst frame is far below its limit, although its mean is the better one."""
    dip = pixel_case(0, Verdict.REGRESSION, "A cat.", [0.92] * 9 + [0.1])
    low = pixel_case(1, Verdict.REGRESSION, "A cat.", [0.8] * 10)
    assert dip.comparison and low.comparison and 0.93 - 0.8 < 0.8 - 0.1
    assert [case.index for case in worst_first([low, dip])] == [0, 1]
    assert worst_misses([low, dip])[-1][0].index == 0
