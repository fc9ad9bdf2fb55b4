# SPDX-License-Identifier: Apache-2.0
"""Generating, sweeping, interrupting: what a run leaves behind and how it ends."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.conftest import Cli, clean_environment, heed_ctrl_c

MODELS = ["ltx2", "wan21_t2v_1_3b", "wan22_ti2v_5b", "hunyuan_i2v", "cogvideox15_5b_i2v", "stable_audio_open"]

# an engine that misbehaves as its options say, beside the real mock engine
BROKEN = """
import os, sys, time
from fvhydra.engines.mock import MockEngine

class Broken(MockEngine):
    def generate(self, case, progress):
        how = self.config.options.get("how")
        if how == "raise":
            raise RuntimeError("the kernel is broken")
        if how == "exit":
            sys.exit(7)
        if how == "hang":
            progress.stage("hang", case.index)
            time.sleep(60)
        return super().generate(case, progress)
"""


@pytest.fixture
def broken(tmp_path: Path) -> tuple[str, str]:
    """Overrides for the misbehaving engine; it is importable from the test's folder."""
    (tmp_path / "broken.py").write_text(BROKEN)
    return "engine=mock", "engine._target_=broken.Broken"


def _latest(folder: Path) -> dict:
    return json.loads((folder / "outputs" / "latest" / "result.json").read_text())


@pytest.mark.parametrize("model", MODELS)
def test_mock_seeds_and_checks_every_model(cli: Cli, tmp_path: Path, model: str) -> None:
    words = ("-m", "engine=mock", f"model={model}")
    seeded = cli(*words, "op=seed_ssim", "prompt_index=0", "op.confirm=upload")
    assert seeded.code == 0, seeded.text
    checked = cli(*words, "op=check_ssim", "prompt_index=0", "tier.perturb_weights=0,1")
    assert checked.code == 1, checked.text
    [sweep] = (tmp_path / "multirun" / "check_ssim").iterdir()
    verdicts = [json.loads((sweep / number / "result.json").read_text())["verdict"] for number in "01"]
    assert verdicts == ["pass", "regression"]


@pytest.mark.slow
def test_hostile_prompts_neither_collide_nor_escape(cli: Cli, tmp_path: Path) -> None:
    shared = "The same first hundred characters, which is what other tools look at when they search a reference. " * 2
    prompts = [
        "../../escape",
        "a/b",
        "a_b",
        "tab\there",
        "<script>alert(1)</script>",
        "猫" * 90,
        shared + "1",
        shared + "2",
    ]
    (tmp_path / "hostile.json").write_text(json.dumps(prompts))
    words = ("engine=mock", "prompt_file=hostile.json")
    seeded = cli("op=seed_ssim", *words, "op.confirm=upload")
    assert seeded.code == 0, seeded.text
    references = list((tmp_path / "store" / "current").rglob("*.pt"))
    assert len(references) == len(prompts) and len({path.parent for path in references}) == 1
    assert cli("op=check_ssim", *words).code == 0
    assert "<script>alert" not in (tmp_path / "outputs" / "latest" / "report" / "index.html").read_text()
    assert cli("op=doctor").code == 0, "the run folder must be portable"


@pytest.mark.slow
def test_a_second_seed_has_a_reference_of_its_own(cli: Cli, tmp_path: Path) -> None:
    for seed in ("10", "11"):
        assert cli("op=seed_ssim", "engine=mock", f"seed={seed}", "op.confirm=upload").code == 0
    assert cli("-m", "op=check_ssim", "engine=mock", "seed=10,11").code == 0
    assert cli("op=check_ssim", "engine=mock", "seed=12").code == 3


def test_one_bad_job_never_stops_the_others(cli: Cli, tmp_path: Path, broken: tuple[str, str]) -> None:
    cli("op=seed_ssim", "engine=mock", "op.confirm=upload")
    command = cli("-m", "op=check_ssim", *broken, "+engine.options.how=raise,exit,none")
    assert command.code == 4, command.text
    [sweep] = (tmp_path / "multirun" / "check_ssim").iterdir()
    verdicts = [json.loads((sweep / number / "result.json").read_text())["verdict"] for number in "012"]
    assert verdicts == ["infrastructure", "infrastructure", "pass"]
    for number in "012":
        assert f"{number}/report/index.html" in command.out
    assert "job 0: RuntimeError: the kernel is broken" in command.out
    assert "job 1: The job exited by itself (code 7)." in command.out
    assert "Traceback" not in command.text
    assert "the kernel is broken" in (sweep / "0" / "status" / "error.log").read_text()
    assert (sweep / "report" / "index.html").is_file() and (sweep / "report" / "summary.md").is_file()
    suites = ElementTree.parse(sweep / "report" / "junit.xml").getroot()
    assert len(list(suites.iter("testcase"))) >= 3


def test_sweeps_over_models_prompts_and_seeds(cli: Cli, tmp_path: Path) -> None:
    command = cli("-m", "op=check_ssim", "engine=mock", "model=ltx2,wan21_t2v_1_3b", "prompt_index=0", "seed=0,1")
    assert command.code == 3 and "4 job(s), worst: no_reference" in command.out
    for number in range(4):
        assert f"{number}/report/index.html" in command.out


@pytest.mark.parametrize(
    ("number", "mode"), [(signal.SIGINT, "single"), (signal.SIGTERM, "single"), (signal.SIGINT, "-m")]
)
def test_an_interrupted_run_is_readable(
    tmp_path: Path, cache_dir: Path, broken: tuple[str, str], number: signal.Signals, mode: str
) -> None:
    words = ["op=generate", *broken, "+engine.options.how=hang"] + (["-m", "seed=0,1"] if mode == "-m" else [])
    process = subprocess.Popen(
        [sys.executable, "-m", "fvhydra", *words],
        cwd=tmp_path,
        env=clean_environment(tmp_path, cache_dir),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,
    )
    pattern = (
        "multirun/generate/*/0/status/progress.log" if mode == "-m" else "outputs/generate/*/*/status/progress.log"
    )
    deadline = time.monotonic() + 30
    while not any("hang" in log.read_text() for log in tmp_path.glob(pattern)):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, out + err
    assert "Traceback" not in out + err
    [log] = tmp_path.glob(pattern)
    run = log.parent.parent
    assert json.loads((run / "result.json").read_text())["verdict"] == "interrupted"
    assert json.loads((run / "status" / "status.json").read_text())["state"] == "interrupted"
    assert (run / "report" / "index.html").is_file()
    if mode == "-m":
        assert "2 job(s), worst: interrupted" in out and "Not started" in out


def test_a_killed_run_reads_as_interrupted(tmp_path: Path, cache_dir: Path, broken: tuple[str, str]) -> None:
    from fvhydra.core.run import RunFolder

    process = subprocess.Popen(
        [sys.executable, "-m", "fvhydra", "op=generate", *broken, "+engine.options.how=hang"],
        cwd=tmp_path,
        env=clean_environment(tmp_path, cache_dir),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    pattern = "outputs/generate/*/*/status/progress.log"
    deadline = time.monotonic() + 30
    while not any("hang" in log.read_text() for log in tmp_path.glob(pattern)):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    [log] = tmp_path.glob(pattern)
    assert RunFolder.open(log.parent.parent).state == "interrupted"


def test_suggested_commands_ask_for_the_same_recipe(cli: Cli) -> None:
    words = ("engine=mock", "model=wan21_t2v_1_3b", "prompt=a, b", "sampling.num_frames=13", "store.path=my refs")
    command = cli("op=check_ssim", *words)
    [line] = [line for line in command.out.splitlines() if "op=seed_ssim" in line]
    suggested = shlex.split(line.partition("python -m fvhydra ")[2])
    assert cli(*suggested, "op.confirm=upload").code == 0
    assert cli("op=check_ssim", *words).code == 0


@pytest.mark.parametrize("key", ["runtime.output_dir", "runtime.sweep_dir", "runtime.cache_dir", "store.path", "run"])
def test_a_folder_with_a_name_that_no_disk_takes_is_a_usage_error(cli: Cli, key: str, tmp_path: Path) -> None:
    sweep = ("-m", "seed=1,2") if key == "runtime.sweep_dir" else ()
    command = cli(*sweep, "op=seed_ssim", f"{key}={'a' * 300}")
    assert command.code == 2 and "is no path: it holds a NUL, or a name of more than 255 bytes." in command.text
    assert not list(tmp_path.glob("[!.]*"))


@pytest.mark.parametrize(
    "words", [["op=generate", "=3"], ["model=null"], ["-m", "runtime.sweep_dir=/proc/q"], ["--nope"]]
)
def test_nothing_that_is_typed_ends_in_a_traceback(cli: Cli, words: list[str]) -> None:
    command = cli("engine=mock", *words)
    assert command.code in (2, 4) and "Traceback" not in command.text, command.text


def test_a_report_that_fails_is_recorded(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import fvhydra.report.write as w\ndef broken(*_): raise RuntimeError('no ink')\nw.render_html = broken\n"
    )
    words = ("op=seed_ssim", "engine=mock", "op.confirm=upload")
    command = cli(*words, PYTHONPATH=str(tmp_path), preexec=os.getpid)  # a start of its own, which reads that file
    assert command.code == 4 and "The report failed: RuntimeError: no ink" in command.out, command.text
    assert _latest(tmp_path)["verdict"] == "infrastructure" and not (tmp_path / "store").exists()
    assert "no ink" in (tmp_path / "outputs" / "latest" / "status" / "error.log").read_text()
