# SPDX-License-Identifier: Apache-2.0
"""Performance records in every report: what is worse shows, text from outside is text, and only successes are green."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from fvhydra.core import files
from fvhydra.core.performance import PerfComparison
from fvhydra.core.result import RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.performance.gate import check
from fvhydra.performance.history import History
from fvhydra.report.junit import render_junit
from fvhydra.report.markdown import render_markdown
from fvhydra.report.performance import render_performance
from fvhydra.report.wording import PERF_COLUMNS, perf_cells
from fvhydra.report.write import write_report
from tests.performance.making import record
from tests.report.conftest import Tab
from tests.report.run_folders import HOSTILE
from tests.report.test_markdown import rows

OLD = History.of_records(record(day) for day in range(1, 6))


def compared(history: History = OLD, samples: Any = None, ceilings: Any = None, **fields: Any) -> PerfComparison:
    return check(record(9, **fields), history, samples=samples, ceilings=ceilings)


def run_of(*found: PerfComparison) -> RunResult:
    verdict = max((each.verdict for each in found), key=lambda verdict: verdict.exit_code)
    return RunResult("check_perf", verdict, "Said.", performance=list(found))


def suite_of(*found: PerfComparison) -> ET.Element:
    [suite] = ET.fromstring(render_junit([("run", run_of(*found))]).encode())
    return suite


def test_a_result_comes_back_as_it_was_written(tmp_path: Path) -> None:
    result = run_of(compared(samples={"latency": [10.0, 10.1, 9.9]}), compared(History(()), gpu_type="H100"))
    files.write_json(tmp_path / "result.json", result)
    assert RunResult.from_json(files.plain(result)) == result


@pytest.mark.parametrize(
    ("fields", "cell", "shown"),
    [
        ({"latency": 12.0}, 3, "+20.0%"),
        ({"latency": 12.0}, 5, "regression"),
        ({"latency": None}, 5, "not measured"),
        ({"memory": 10100.0}, 1, "10,100 MB"),
        ({"memory": 10100.0}, 4, "+5.0%"),
        ({"throughput": 4.0}, 4, "-8.0%"),
        ({"text_encoder_time_s": 1.2}, 4, "+25.0%"),
    ],
)
def test_the_cells_of_a_metric(fields: dict[str, Any], cell: int, shown: str) -> None:
    [name] = fields
    [metric] = [metric for metric in compared(**fields).metrics if metric.name == name]
    assert perf_cells(metric)[cell] == shown and len(perf_cells(metric)) == len(PERF_COLUMNS)


def test_a_metric_that_does_not_decide_says_so() -> None:
    loose = {"latency": {"gated": False}}
    suite = suite_of(found := compared(latency=30.0, regression_thresholds=loose))
    latency = found.metrics[0]
    assert perf_cells(latency)[4:] == ("any", "regression")
    assert found.verdict is Verdict.PASS and not list(suite.iter("failure"))


def test_junit_has_a_testcase_for_each_metric_and_one_for_what_none_explains() -> None:
    suite = suite_of(compared(latency=12.0, memory=None), compared(History(())), compared(success=False))
    cases = [case.get("name") for case in suite.iter("testcase")]
    assert len(cases) == 5 + 1 + 7 and cases[0] == "toy-1gpu on NVIDIA L40S: latency"
    [failure] = suite.iter("failure")
    assert "+20.0%" in (failure.get("message") or "")
    errors = [error.get("type") for error in suite.iter("error")]
    assert sorted(map(str, errors)) == ["infrastructure", "no_reference"]
    [over] = suite_of(compared(ceilings={"latency": 9.0})).iter("failure")
    assert over.get("message") == "10 s, at most 9"
    unsure = suite_of(compared(samples={"latency": [10.0]}))
    assert {error.get("type") for error in unsure.iter("error")} == {"inconclusive"}


def test_markdown_has_a_table_for_each_record() -> None:
    table = rows(render_markdown(run_of(compared(latency=12.0), compared())))
    assert table[0] == list(PERF_COLUMNS) and len(table) == 16
    assert table[1] == ["latency ↓", "12 s", "10 s", "+20.0%", "+8.0%", "regression"]


def test_text_from_outside_is_text_everywhere() -> None:
    odd = {"model_id": HOSTILE, "gpu_type": HOSTILE, "commit_sha": HOSTILE, "timestamp": HOSTILE, "weights": HOSTILE}
    history = History.of_records(record(day, **odd) for day in range(1, 4))
    result = run_of(check(record(9, **odd, latency=99.0), history))
    html = render_performance(result, {})
    assert "<script>alert(1)" not in html and "&lt;script&gt;alert(1)" in html and "\x1b" not in html
    ET.fromstring(render_junit([("run", result)]).encode())
    assert len({len(row) for row in rows(render_markdown(result))}) == 1


@pytest.mark.browser
def test_the_page(tmp_path: Path, tab: Tab) -> None:
    samples = {"latency": [11.9, 12.0, 12.4]}
    result = run_of(compared(latency=12.0, samples=samples), compared(History(())), compared(throughput=5.0))
    page = tab.open(write_report(tmp_path, result, {"created": "now"}))
    names = page.locator("section.metric h2").all_inner_texts()
    assert [name.split()[-2:] for name in names] == [["no", "reference"], ["✕", "regression"], ["✓", "pass"]]
    assert page.locator("#overview tbody tr").count() == 3
    regression = page.locator("section.metric").nth(1)
    assert regression.locator("svg.strip").count() == 7
    first = regression.locator("svg.strip").first
    interval, change = first.locator("rect").nth(0), first.locator("rect").nth(1)
    limit = float(first.locator("line.gate").get_attribute("x1") or 0)
    assert 50 < limit < float(interval.get_attribute("x") or 0) < float(change.get_attribute("x") or 0) + 0.6
    up = page.locator("section.metric").nth(2).locator("svg.strip").nth(1)
    assert float(up.locator("line.gate").get_attribute("x1") or 0) < 50
    regression.locator("summary").first.click()
    assert regression.locator("details li").count() == 5
    narrow = page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert narrow
