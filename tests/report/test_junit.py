# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from fvhydra.core.result import GateResult, RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.report.junit import render_junit
from tests.report.evaluations import evaluated_run
from tests.report.run_folders import HOSTILE, latent_run, pixel_case, pixel_run


def parse(*runs: tuple[str, RunResult]) -> ET.Element:
    return ET.fromstring(render_junit(runs).encode())


@pytest.mark.parametrize("verdict", list(Verdict))
def test_only_a_success_is_green_and_nothing_is_skipped(verdict: Verdict) -> None:
    result = RunResult("check_ssim", verdict, cases=[pixel_case(0, verdict, "A cat.", None, message="Why.\nMore.")])
    suites = parse(("run", result))
    outcomes = [child for case in suites.iter("testcase") for child in case if child.tag != "properties"]
    expected = {Verdict.PASS: [], Verdict.DONE: [], Verdict.REGRESSION: ["failure"]}.get(verdict, ["error"])
    assert [outcome.tag for outcome in outcomes] == expected
    assert [outcome.get("type") for outcome in outcomes] == [verdict.value] * len(expected)
    assert [outcome.get("message") for outcome in outcomes] == ["Why."] * len(expected)
    assert suites.get("failures") == str(expected.count("failure"))
    assert suites.get("errors") == str(expected.count("error"))


def test_one_testcase_a_case_with_its_numbers(tmp_path: Path) -> None:
    result = latent_run(tmp_path).result
    suite = parse(("run", result))[0]
    assert suite.get("tests") == "3"
    properties = {item.get("name"): item.get("value") for item in suite[1].iter("property")}
    assert float(properties["slice_cosine_distance"] or "nan") == 0.0213
    assert properties["verdict"] == "regression"
    assert properties["artifact"] == "artifacts/0.pt"


def test_any_prompt_gives_valid_xml(tmp_path: Path) -> None:
    cases = parse(("run", pixel_run(tmp_path).result)).iter("testcase")
    names = [case.get("name") or "" for case in cases]
    assert len(names) == 4
    assert any("<script>alert(1)</script>" in name for name in names)
    result = RunResult("check_ssim", Verdict.INFRASTRUCTURE, HOSTILE, cases=[])
    assert "[31mred" in (parse((HOSTILE, result))[0][0][0].text or "")


def test_a_run_that_failed_before_its_first_case_is_not_empty() -> None:
    suite = parse(("run", RunResult("check_ssim", Verdict.INFRASTRUCTURE, "The engine crashed.")))[0]
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")
    assert [error.get("message") for error in suite.iter("error")] == ["The engine crashed."]


def test_a_run_that_was_interrupted_after_passing_cases_is_an_error() -> None:
    case = pixel_case(0, Verdict.PASS, "A cat.", None)
    suite = parse(("run", RunResult("check_ssim", Verdict.INTERRUPTED, "Stopped.", cases=[case])))[0]
    assert (suite.get("tests"), suite.get("errors")) == ("2", "1")


def test_one_testcase_a_gated_metric_with_the_worst_samples(tmp_path: Path) -> None:
    run = evaluated_run(tmp_path)
    run.result.gates.append(GateResult("common.lpips", "<= 0.1", Verdict.INCONCLUSIVE, "It was not measured."))
    suite = parse(("run", run.result))[0]
    assert [suite.get(count) for count in ("tests", "failures", "errors")] == ["3", "1", "1"]
    names = [case.get("name") for case in suite.iter("testcase")]
    assert names == ["common.ssim min >= 0.99", "common.psnr >= 30", "common.lpips <= 0.1"]
    failure = suite[0].find("failure")
    assert failure is not None and "set/0 odd #name? 50%.mp4: 0.5" in (failure.text or "")
    assert {item.get("name"): item.get("value") for item in suite[0].iter("property")}["value"] == "0.5"


def test_an_evaluation_without_a_gate_is_one_testcase(tmp_path: Path) -> None:
    run = evaluated_run(tmp_path)
    run.result.gates, run.result.verdict = [], Verdict.DONE
    assert [case.get("name") for case in parse(("run", run.result)).iter("testcase")] == ["eval"]
