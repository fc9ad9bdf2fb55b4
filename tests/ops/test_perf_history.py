# SPDX-License-Identifier: Apache-2.0
"""``op=perf_history``: performance and similarity over time, on a page, in a table and as pictures."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.ops.folders import latest_of
from tests.performance.making import local_store, record

WAN = ("engine=mock", "model=wan22_ti2v_5b")


def _page(folder: Path) -> str:
    return (folder / "outputs" / "latest" / "report" / "index.html").read_text()


def test_performance_over_time(command: Cli, tmp_path: Path) -> None:
    days = [record(day, latency=10.0) for day in range(1, 13)] + [record(day, latency=11.0) for day in range(13, 25)]
    failed = record(25, success=False, latency=None)
    local_store(tmp_path / "store", [*days, failed, record(1, model_id="other")], **{"toy-1gpu/broken.json": b"<html>"})
    done = command("op=perf_history", "op.mirror=mirror", "op.export=[png,svg]")
    assert done.code == 0, done.text
    for part in (
        "26 record(s) of 2 model(s) and device(s)", "toy-1gpu on NVIDIA L40S:", "1, last +10.0% at 2026-02-13",
        "Step: latency of toy-1gpu on NVIDIA L40S went +10.0%", "Drift: latency", "toy-1gpu/broken.json",
    ):  # fmt: skip
        assert part in done.out, part
    run = (tmp_path / "outputs" / "latest").resolve()
    page = _page(tmp_path)
    assert 'class="hollow" d="M' in page and "step +10.0%: 10 → 11" in page
    link = f"records/toy-1gpu/2026-02-13T00_00_00_00_00_{13:040x}.json"
    assert f"../{link}" in page and json.loads((run / link).read_text())["latency"] == 11.0
    plots = sorted((run / "plots").iterdir())
    assert [path.suffix for path in plots] == [".png", ".svg", ".png", ".svg"]
    assert plots[0].read_bytes().startswith(b"\x89PNG") and "toy-1gpu on NVIDIA L40S" in plots[3].read_text()
    assert "peak memory (MB)" in (run / "report" / "summary.md").read_text()

    again = command("op=perf_history", "op.mirror=mirror", "op.model_id=other", "op.steps=false")
    assert again.code == 0 and "toy-1gpu on" not in again.out, again.text
    last = command("op=perf_history", "op.mirror=mirror", "op.last=3", "op.model_id=toy-1gpu")
    assert last.code == 0 and "3 record(s) of 1" in last.out
    assert sum(len(trend["steps"]) for trend in latest_of(tmp_path)["trends"]) == 0


def test_similarity_over_time_of_the_same_case(command: Cli, tmp_path: Path) -> None:
    assert command("op=seed_ssim", *WAN, "op.confirm=upload").code == 0
    for noise in ("0", "0.01", "0.3"):
        command("op=check_ssim", *WAN, f"tier.perturb_weights={noise}")
    (tmp_path / "outputs" / "check_ssim" / "wan22_ti2v_5b" / "damaged").mkdir()
    (tmp_path / "outputs" / "check_ssim" / "wan22_ti2v_5b" / "damaged" / "result.json").write_text("{")
    done = command("op=perf_history", "op.mirror=mirror")
    assert done.code == 0 and "1 case(s) over 3 comparison(s)" in done.out, done.text
    assert "damaged is left out" in done.out
    [mean, *_] = latest_of(tmp_path)["trends"]
    assert (mean["metric"], mean["points"], mean["failed"], mean["sort"]) == ("mean_ssim", 3, 1, "similarity")
    assert mean["latest"] < 0.93 <= mean["median"]
    page = _page(tmp_path)
    assert 'class="limit"' in page and "wan22_ti2v_5b smoke/CPU/TORCH_SDPA" in page
    [series] = json.loads((tmp_path / "outputs" / "latest" / "series.json").read_text())["series"]
    run = (tmp_path / "outputs" / "latest").resolve()
    assert all((run / link).is_file() for link in series["links"])
    elsewhere = command("op=perf_history", "op.mirror=mirror", "op.runs=outputs/check_ssim/wan22_ti2v_5b")
    assert elsewhere.code == 0 and "1 case(s) over 3 comparison(s)" in elsewhere.out, elsewhere.text


def test_a_history_of_nothing_says_so(command: Cli) -> None:
    done = command("op=perf_history", "op.mirror=mirror")
    assert done.code == 0 and "There is nothing to show yet" in done.out, done.text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("op.model_id=toy-1gp",), "Did you mean 'toy-1gpu'?"),
        (("op.gpu_type=L40S",), "No record has gpu_type 'L40S'"),
        (("op.export=pdf",), "there are png and svg"),
        (("op.runs=nowhere",), "There is no folder"),
        (("op.last=0",), "op.last"),
    ],
)
def test_a_mistyped_word_is_no_empty_history(command: Cli, tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    local_store(tmp_path / "store", [record(1)])
    refused = command("op=perf_history", "op.mirror=mirror", *words)
    assert refused.code == 2 and says in refused.text, refused.text


@pytest.mark.parametrize(("words", "lacking"), [((), "ruptures"), (("op.steps=false", "op.export=png"), "matplotlib")])
def test_what_is_not_installed_is_refused_with_the_line_that_installs_it(
    command: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], lacking: str
) -> None:
    monkeypatch.setattr("fvhydra.core.extras.missing", lambda modules: [m for m in modules if m == lacking])
    refused = command("op=perf_history", *words)
    assert refused.code == 2 and "fvhydra[history]" in refused.text and not (tmp_path / "outputs").exists()


@pytest.mark.slow
def test_ten_thousand_records_are_a_matter_of_seconds(command: Cli, tmp_path: Path) -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    times = [(start + timedelta(hours=index)).isoformat() for index in range(10_000)]
    models = ("a", "b", "c", "d")
    many = [record(1, timestamp=each, model_id=models[index % 4]) for index, each in enumerate(times)]
    local_store(tmp_path / "store", many)
    before = time.process_time()
    done = command("op=perf_history", "op.mirror=mirror")
    assert done.code == 0 and "10000 record(s) of 4" in done.out, done.text
    assert time.process_time() - before < 30  # of the processor: the machine may be busy with others
    assert (tmp_path / "outputs" / "latest" / "report" / "index.html").stat().st_size < 10 * 2**20
