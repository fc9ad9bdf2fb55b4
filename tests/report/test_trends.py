# SPDX-License-Identifier: Apache-2.0
"""The page of numbers over time: the same picture without a script, and a point's record one click away with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fvhydra.core.errors import UsageError
from fvhydra.core.files import write_json
from fvhydra.core.result import RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.performance.history import History
from fvhydra.performance.names import record_path
from fvhydra.performance.record import PerfRecord
from fvhydra.performance.trends import performance_series, trends
from fvhydra.report.trends import render_trends
from fvhydra.report.write import write_report
from tests.performance.making import record
from tests.report.conftest import Tab

HOSTILE = "</script><script>alert(1)</script>"


def _run(folder: Path, *records: PerfRecord) -> RunResult:
    placed = [PerfRecord(each.fields, record_path(each)) for each in records]
    for each in placed:
        write_json(folder / "records" / each.path, dict(each.fields))
    found = performance_series(History.of_records(placed))
    lines = [line for series in found for line in trends(series)]
    write_json(folder / "series.json", {"schema_version": 1, "series": found})
    return RunResult("perf_history", Verdict.DONE, trends=lines)


def test_everything_is_drawn_without_a_script(tmp_path: Path) -> None:
    records = [record(day, latency=10.0 + (day > 12)) for day in range(1, 25)]
    again = record(26, baseline_reseed=True, baseline_reseed_reason=HOSTILE)
    result = _run(tmp_path, *records, record(25, success=False, latency=None), again)
    page = render_trends(tmp_path, result, {})
    for part in (
        'class="median" d="M', 'class="band" d="M', 'class="hollow" d="M', 'class="step bad"', 'class="change reseed"',
        "latency (s) ↓", "throughput (fps) ↑", "step +10.0%: 10 → 11",
    ):  # fmt: skip
        assert part in page, part
    assert HOSTILE not in page and "alert(1)" in page
    assert page.count("<svg") == 6


def test_a_damaged_record_of_the_page_is_refused(tmp_path: Path) -> None:
    result = _run(tmp_path, record(1))
    (tmp_path / "series.json").write_text(json.dumps({"series": [{"name": 1}]}))
    with pytest.raises(UsageError, match=r"series\.json is not one of this version"):
        render_trends(tmp_path, result, {})


def test_a_click_opens_the_record_of_a_point(tmp_path: Path, tab: Tab) -> None:
    result = _run(tmp_path, *(record(day, latency=float(day)) for day in range(1, 11)))
    write_report(tmp_path, result, {})
    page = tab.open(tmp_path / "report" / "index.html")
    chart = page.locator(".trend svg").first
    box = chart.bounding_box()
    assert box is not None
    last = {"x": box["width"] * 0.985, "y": box["height"] * 0.1}
    chart.hover(position=last)  # type: ignore[arg-type]
    readout = page.locator(".trend .readout")
    assert "2026-02-10" in readout.inner_text() and " 10, good, commit" in readout.inner_text()
    with page.expect_popup() as opened:
        chart.click(position=last)  # type: ignore[arg-type]
    assert '"latency": 10.0' in opened.value.content()
    assert opened.value.url.endswith(f"records/toy-1gpu/2026-02-10T00_00_00_00_00_{10:040x}.json")
