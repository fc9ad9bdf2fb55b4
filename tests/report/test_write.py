# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from fvhydra.core import files, untrusted
from fvhydra.core.result import RunResult, SweepJob
from fvhydra.core.verdict import Verdict
from fvhydra.report.write import write_report, write_sweep_report
from tests.report.run_folders import pixel_run


def test_three_files_and_nothing_else_appear_in_the_run_folder(tmp_path: Path) -> None:
    run = pixel_run(tmp_path)
    before = set(tmp_path.rglob("*"))
    index = write_report(run.folder, run.result, run.manifest)
    report = tmp_path / "report"
    assert index == report / "index.html"
    written = {report, *(report / name for name in ("index.html", "junit.xml", "summary.md"))}
    assert set(tmp_path.rglob("*")) - before == written


def test_the_report_is_a_function_of_the_record_that_is_on_disk(tmp_path: Path) -> None:
    run = pixel_run(tmp_path)
    run.result.cases[2].prompt = "A cat."  # JSON holds no lone surrogate
    first = write_report(run.folder, run.result, run.manifest).read_bytes()
    files.write_json(tmp_path / "result.json", run.result)
    again = RunResult.from_json(untrusted.read_json(tmp_path / "result.json"))
    assert write_report(run.folder, again, run.manifest).read_bytes() == first


def test_a_sweep_is_reported_worst_first_and_otherwise_in_order(tmp_path: Path) -> None:
    verdicts = (Verdict.PASS, Verdict.REGRESSION, Verdict.INFRASTRUCTURE, Verdict.REGRESSION, Verdict.PASS)
    jobs = [SweepJob(n, f"seed={n}", RunResult("check_ssim", v, model="ltx2"), str(n)) for n, v in enumerate(verdicts)]
    index = write_sweep_report(tmp_path, jobs)
    assert index == tmp_path / "report" / "index.html"
    suites = ET.parse(tmp_path / "report" / "junit.xml").getroot()
    assert [(suite.get("name") or "").split()[0] for suite in suites] == ["2", "1", "3", "0", "4"]
    assert (suites.get("tests"), suites.get("failures"), suites.get("errors")) == ("5", "2", "1")
    assert "1 infrastructure, 2 regression, 2 pass" in (tmp_path / "report" / "summary.md").read_text()
