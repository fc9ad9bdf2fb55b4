# SPDX-License-Identifier: Apache-2.0
"""What a person sees: nothing that came from outside is more than text, and everything fits."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from fvhydra.core.baseline import BaselineMove, BaselineSource
from fvhydra.core.result import CaseResult, RunResult
from fvhydra.core.scores import MetricSummary
from fvhydra.core.text import printable
from fvhydra.core.verdict import Verdict
from fvhydra.terminal import Bars, Lines, Row, Terminal
from tests.conftest import Cli
from tests.report.evaluations import compared_run, evaluated_run

EVIL = "evil\x1b]0;pwned\x07\x9b2J\u202egnp\u2066"


def test_a_prompt_cannot_command_the_terminal(cli: Cli, tmp_path: Path) -> None:
    done = cli("op=generate", "engine=mock", f"prompt='{EVIL}'")
    assert done.code == 0, done.text
    logs = [path.read_text() for path in tmp_path.glob("outputs/generate/*/*/status/progress.log")]
    for text in (done.out, done.err, *logs):
        assert "evil\ufffd]0;pwned" in text
        assert not set("\x1b\x07\x9b\u202e\u2066") & set(text)


def test_nothing_is_more_than_text_anywhere(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    case = CaseResult(index=0, prompt=EVIL, seed=1, fingerprint="f", verdict=Verdict.NO_REFERENCE, message=EVIL)
    result = RunResult(f"[bold]{EVIL}", Verdict.NO_REFERENCE, EVIL, EVIL, cases=[case, case], notes=[EVIL])
    terminal = Terminal()
    terminal.result(result, tmp_path / EVIL)
    terminal.sweep([Row(0, EVIL, result, log=tmp_path / EVIL)], tmp_path / "0" / "report", Verdict.NO_REFERENCE)
    terminal.error(EVIL, EVIL)
    terminal.say([EVIL])
    Lines(terminal.err, "generate").stage("load", 0, EVIL)
    shown = capsys.readouterr()
    assert (shown.out + shown.err).count("evil\ufffd]0;pwned") >= 12
    assert "[bold]evil" in shown.out
    assert not set("\x1b\x07\x9b\u202e\u2066") & set(shown.out + shown.err)


@pytest.mark.parametrize("character", ["\0", "\x7f", "\x85", "\x9f", "\u2028", "\u202a", "\u2069", "\ud800", "\uffff"])
def test_each_unprintable_character_is_replaced(character: str) -> None:
    assert printable(f"a{character}b") == "a\ufffdb"


def test_what_people_write_stays() -> None:
    text = "naïve 猫 🎬 עברית\n\ttab\r\n¡\xa0ÿ\u200d"
    assert printable(text) == text
    assert printable("50 %\r100 %") == "50 %\ufffd100 %"


@pytest.mark.parametrize(
    ("environment", "styled"),
    [
        ({"NO_COLOR": "", "TERM": "xterm"}, True),
        ({"NO_COLOR": "1", "TERM": "xterm"}, False),
        ({"NO_COLOR": "", "TERM": "dumb"}, False),
    ],
)
def test_no_colour_means_no_escape_sequence(
    environment: dict[str, str], styled: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**environment, "FORCE_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    case = CaseResult(index=0, prompt="A cat", seed=1, fingerprint="f", verdict=Verdict.DONE)
    Terminal().result(RunResult("generate", Verdict.DONE, cases=[case]), None)
    assert ("\x1b" in capsys.readouterr().out) == styled


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_bar_always_shows_steps_and_time_and_gives_the_rest_to_words(width: int) -> None:
    shown = io.StringIO()
    bars = Bars(Console(file=shown, width=width, soft_wrap=True), "generate")
    bars.stage("generate", 1, "A long prompt about cats. " * 3)
    bars.step(3, 50)
    bars.display.console.print(bars.display.get_renderable())
    (line,) = shown.getvalue().splitlines()
    assert "━" in line and "step 3/50" in line and "0:00:00" in line
    assert line.rstrip().endswith("…") and len(line) <= width
    if width > 70:
        assert "generate case 1 A long" in line


def test_a_bar_shows_no_control_characters() -> None:
    shown = io.StringIO()
    bars = Bars(Console(file=shown, width=120, soft_wrap=True), "generate")
    bars.stage("generate", 1, EVIL)
    bars.display.console.print(bars.display.get_renderable())
    assert "case 1 evil\ufffd]0;pwned" in shown.getvalue()
    assert not set("\x1b\x07\x9b\u202e\u2066") & set(shown.getvalue())


def test_an_op_and_its_stage_of_one_name_are_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(Terminal().err, "job 2 generate")
    lines.stage("load", msg="mock")
    lines.stage("generate", 0, "A cat")
    assert capsys.readouterr().err.splitlines() == ["job 2 generate | load mock", "job 2 generate case 0 A cat"]


def test_a_log_hears_of_a_long_stage_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("fvhydra.terminal.time.monotonic", lambda: now)
    lines = Lines(Terminal().err, "eval")
    lines.stage("score", msg="90 sample(s)")
    for done in range(1, 91):
        now = float(done)
        lines.step(done, 90)
    said = capsys.readouterr().err.splitlines()
    assert said == ["eval | score 90 sample(s)"] + [f"eval | score 90 sample(s), step {n}/90" for n in (30, 60, 90)]


def test_a_sweep_names_its_folder_above_the_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    result = RunResult("generate", Verdict.DONE, "1 clip.")
    report = tmp_path / "report" / "index.html"
    Terminal().sweep([Row(0, "seed=1", result, tmp_path / "0" / "report" / "index.html")], report, Verdict.DONE)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[:3] == [f"Reports in {tmp_path}:", "job verdict overrides report", "0 done seed=1 0/report/index.html"]


def test_what_to_do_about_failures_is_said_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    log = Path("0/status/error.log")
    result = RunResult(
        "generate", Verdict.USAGE_ERROR, "No.", notes=["Set HF_TOKEN.", f"The traceback is in /here/{log}."]
    )
    Terminal().sweep([Row(number, "", result, None, log=log) for number in (0, 1)], tmp_path / "a" / "b", Verdict.DONE)
    shown = capsys.readouterr().out
    assert shown.count("Set HF_TOKEN.") == 1 and "traceback" not in shown


def test_a_list_of_problems_is_shown_whole(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    wrong = RunResult("run_job", Verdict.USAGE_ERROR, "job has 2 problems:\n    - [b]one\n    - two")
    crash = RunResult("run_job", Verdict.INFRASTRUCTURE, "It ended.\nFile a.py")
    Terminal().sweep([Row(0, "", wrong), Row(1, "", crash)], tmp_path / "a" / "b", Verdict.USAGE_ERROR)
    shown = capsys.readouterr().out
    assert "  job 0: job has 2 problems:\n    - [b]one\n    - two\n  job 1: It ended.\n" in shown
    assert "a.py" not in shown


def test_scores_comparisons_and_gates_are_tables_of_plain_text(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    terminal = Terminal()
    terminal.result(evaluated_run(tmp_path / "a").result, None)
    terminal.result(compared_run(tmp_path / "b").result, None)
    shown = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "common.ssim ↑ 0.8519 [0.8200, 0.8800] 12 ok, 1 skipped (missing_input)" in lines
    assert "common.ssim ↑ -0.0667 [-0.2000, 0.0500], 0.7500 → 0.6833 1/1/1 of 3 pairs, p = 1" in lines
    assert "pass >= 30: common.psnr value is 35.5, allowed >= 30." in lines
    assert "set/0 odd #name? 50%.mp4: 0.5" in lines
    assert any(line.startswith("common.psnr: version 1 there A cat") for line in lines)
    assert not {"\x00", "\x1b", "\ud800"} & set(shown)


def test_a_reason_stands_below_the_table_once_and_a_name_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    why = "weights unavailable: a/b, 343 MB; get it with `hf download a/b --revision 0123456789abcdef0123456789abcdef`"
    names = ("vbench.temporal_flickering_as_published", "vbench.subject_consistency_as_published")
    metrics = [
        MetricSummary(name, 1, "", "sample", "higher", "1", None, counts={"skipped": 9}, reasons={"no_weights": 9},
                      message=why) for name in names
    ]  # fmt: skip
    Terminal().result(RunResult("eval", Verdict.INCONCLUSIVE, metrics=metrics), None)
    shown = capsys.readouterr().out
    assert all(f"  {name} ↑" in shown for name in names)
    assert shown.splitlines()[-1] == f"  {', '.join(names)}: {why}"


def test_a_path_as_a_name_leaves_room_for_the_rest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    source = BaselineSource("runs/" + "x" * 100 + ".json", "2026-06-01", "0123abc", True, "toy/2026.json")
    move = BaselineMove({}, "why", None, "unknown", 0, "", "", [source], [])
    Terminal().result(RunResult("reseed_perf", Verdict.DONE, baselines=[move]), None)
    shown = "".join(capsys.readouterr().out.split())
    assert shown.count("x") >= 100 and all(part in shown for part in ("2026-06-01", "0123abc", "yes", "toy"))
