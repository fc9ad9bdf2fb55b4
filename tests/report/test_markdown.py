# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from fvhydra.core.result import RunResult, SweepJob
from fvhydra.core.verdict import Verdict
from fvhydra.report.markdown import code, render_markdown, render_sweep_markdown
from tests.report.evaluations import compared_run, evaluated_run
from tests.report.run_folders import HOSTILE, latent_run, pixel_case, pixel_run


def parse(markdown: str) -> list[Token]:
    """Block and inline tokens of GitHub's tables and CommonMark, raw HTML allowed."""
    blocks = MarkdownIt("commonmark", {"html": True}).enable("table").parse(markdown)
    return blocks + [child for block in blocks for child in block.children or []]


def rows(markdown: str) -> list[list[str]]:
    """Cells of all tables as the text that a reader sees."""
    found: list[list[str]] = []
    blocks = parse(markdown)
    for before, token in pairwise(blocks):
        if before.type == "tr_open":
            found.append([])
        if before.type in ("td_open", "th_open"):
            found[-1].append("".join(child.content for child in token.children or []))
    return found


def test_the_table_has_every_case_worst_first(tmp_path: Path) -> None:
    table = rows(render_markdown(latent_run(tmp_path).result))
    assert [row[0] for row in table] == ["case", "0", "2", "1"]
    assert table[1][1:4] == ["✕ regression", "slice cosine distance 0.0213 (≤ 0.005)", "10"]


def test_differences_come_before_the_cases(tmp_path: Path) -> None:
    table = rows(render_markdown(pixel_run(tmp_path).result))
    assert table[:2] == [["key", "reference", "this run"], ["torch", "2.12.1", "2.13.0"]]


@pytest.mark.parametrize(
    "text",
    [
        HOSTILE,
        "a|b",
        "a\\|b",
        "`",
        "``` `` `",
        "line\nbreak | <img src=x onerror=alert(1)>",
        "![x](https://evil.test/x.png) <https://evil.test> www.evil.test",
        "\\",
        "| --- |",
    ],
)
def test_no_text_from_outside_becomes_markup(text: str) -> None:
    case = pixel_case(0, Verdict.REGRESSION, text, None, message=text)
    result = RunResult(text, Verdict.REGRESSION, text, text, cases=[case], notes=[text])
    sweep = render_sweep_markdown([SweepJob(0, text, result, text)])
    for markdown, width in ((render_markdown(result), 6), (sweep, 7)):
        kinds = {token.type for token in parse(markdown)}
        assert not kinds & {"html_inline", "html_block", "link_open", "image", "softbreak", "hardbreak", "fence"}
        assert {len(row) for row in rows(markdown)} == {width}


@pytest.mark.parametrize("text", ["a|b", "a\\|b", "a `` b", "`a`", "plain, words. <b>"])
def test_a_code_span_shows_the_text_itself(text: str) -> None:
    assert rows(f"| x |\n|---|\n| {code(text)} |")[1] == [text]


def test_a_long_prompt_is_cut() -> None:
    assert len(code("word " * 100)) < 170


def test_a_sweep_counts_its_verdicts() -> None:
    jobs = [
        SweepJob(number, f"seed={number}", RunResult("check_ssim", verdict, "First.\nSecond.", "ltx2"), f"{number}")
        for number, verdict in enumerate((Verdict.REGRESSION, Verdict.PASS, Verdict.PASS))
    ]
    markdown = render_sweep_markdown(jobs)
    assert "Sweep of 3 job(s): 1 regression, 2 pass" in markdown
    expected = ["0", "✕ regression", "check_ssim", "ltx2", "seed=0", "First.", "0/report/index.html"]
    assert rows(markdown)[1] == expected


def test_an_evaluation_is_a_table_of_metrics_and_one_of_gates(tmp_path: Path) -> None:
    text = render_markdown(evaluated_run(tmp_path).result)
    assert "| `common.ssim ↑` | `0.8519 [0.8200, 0.8800]` | `12 ok, 1 skipped (missing_input)` |" in text
    assert "| `common.ssim min >= 0.99` | ✕ **regression** |" in text
    assert all(line.count("|") - line.count("\\|") in (0, 4, 5) for line in text.splitlines())


def test_a_comparison_is_a_table_of_differences(tmp_path: Path) -> None:
    text = render_markdown(compared_run(tmp_path).result)
    assert "`-0.0667 [-0.2000, 0.0500], 0.7500 → 0.6833` | `1/1/1 of 3 pairs, p = 1` |" in text
    assert "| `common.psnr ↑` | `not compared` |" in text
    assert "- `common.psnr`: ``version 1 there A cat \\| " in text
