# SPDX-License-Identifier: Apache-2.0
"""``launcher=pool``: what it packs where, what it does with jobs that die, and that nothing outlives it."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.launch.commands import DIARIST, POOL, alive, diary, started, until

# a folder where the log of the next job should be
SPOILER = """
from pathlib import Path
from fvhydra.engines.mock import MockEngine

class Spoiler(MockEngine):
    def generate(self, case, progress):
        Path("multirun/generate/night/1/status/stdout.log").mkdir(parents=True, exist_ok=True)
        return super().generate(case, progress)
"""


@pytest.fixture(autouse=True)
def _diarist(tmp_path: Path) -> None:
    (tmp_path / "diarist.py").write_text(DIARIST)


def _verdicts(folder: Path) -> list[str]:
    results = sorted(folder.glob("multirun/generate/night/[0-9]/result.json"))
    return [json.loads(result.read_text())["verdict"] for result in results]


def test_each_gpu_has_one_job_at_a_time_and_all_are_shown(cli: Cli, tmp_path: Path) -> None:
    command = cli(*POOL, "gpu=l40s", "launcher.devices=[4,7]", "seed=0,1,2", "+engine.options.seconds=3")
    assert command.code == 0, command.text
    busy: set[str] = set()
    together = 0
    for entry in sorted(diary(tmp_path), key=lambda entry: entry["time"]):
        device = entry["CUDA_VISIBLE_DEVICES"]
        assert device in ("4", "7")
        assert (device in busy) == (entry["what"] == "end"), "two jobs on one GPU"
        busy ^= {device}
        together = max(together, len(busy))
    assert together == 2
    shown = set(command.err.splitlines())
    assert {f"job {number} generate | obey case 0" for number in range(3)} <= shown
    assert {f"job {number} generate: done" for number in range(3)} <= shown


def test_jobs_on_the_cpu_and_what_they_are_copies_of_see_no_gpu(cli: Cli, tmp_path: Path) -> None:
    assert cli(*POOL, "seed=0,1", CUDA_VISIBLE_DEVICES="0,1").code == 0
    assert {entry["CUDA_VISIBLE_DEVICES"] for entry in diary(tmp_path)} == {""}
    assert (tmp_path / "warmed").read_text() == "''"


def test_a_job_with_two_gpus_is_given_both(cli: Cli, tmp_path: Path) -> None:
    words = ("gpu=l40s", "sampling.num_gpus=1,2", "sampling.sp_size=1", "launcher.devices=[0,GPU-b]")
    assert cli(*POOL, *words).code == 0
    assert [entry["CUDA_VISIBLE_DEVICES"] for entry in diary(tmp_path) if entry["what"] == "begin"] == ["0,GPU-b", "0"]


def test_more_gpus_than_there_are_are_refused_before_anything_runs(cli: Cli, tmp_path: Path) -> None:
    command = cli(*POOL, "gpu=l40s", CUDA_VISIBLE_DEVICES="")
    assert command.code == 2 and "launcher=pool has 0 GPU(s), and a job needs 1." in command.err
    planned = cli(*POOL, "gpu=l40s", "dry_run=true", CUDA_VISIBLE_DEVICES="")
    assert planned.code == 2 and planned.err == command.err
    assert not diary(tmp_path)


def test_threads_and_workers_are_bounded_and_tokens_stay_here_unless_named(cli: Cli, tmp_path: Path) -> None:
    words = ("seed=0,1", "launcher.workers=1", "launcher.cpus_per_job=2", "launcher.pass_env=[HF_TOKEN]")
    command = cli(*POOL, *words, HF_TOKEN="hf_wanted", HF_API_KEY="hf_planted", OMP_NUM_THREADS="64")
    assert command.code == 0, command.text
    notes = diary(tmp_path)
    assert [entry["what"] for entry in notes] == ["begin", "end", "begin", "end"]
    assert {entry["OMP_NUM_THREADS"] for entry in notes} == {"2"}
    assert {(entry["HF_TOKEN"], entry["HF_API_KEY"]) for entry in notes} == {("hf_wanted", None)}


def test_a_job_that_dies_is_one_failed_job(cli: Cli, tmp_path: Path) -> None:
    command = cli(*POOL, "sweep=night", "+engine.options.how=SIGKILL,SIGSEGV,abort,none")
    assert command.code == 4, command.text
    assert _verdicts(tmp_path) == ["infrastructure"] * 3 + ["done"]
    for line in (
        "job 0: The worker was killed by SIGKILL.",
        "job 1: The worker was killed by SIGSEGV: Fatal Python error: Segmentation fault",
        "job 2: The worker was killed by SIGABRT: Fatal Python error: Aborted",
        "log: multirun/generate/night/1/status/stdout.log",
        "sweep=multirun/generate/night",
    ):
        assert line in command.out
    assert "reported by" not in command.out
    assert "Segmentation fault" in (tmp_path / "multirun/generate/night/1/status/stdout.log").read_text()


def test_fail_fast_starts_no_other(cli: Cli, tmp_path: Path) -> None:
    words = ("sweep=night", "launcher.workers=1", "launcher.fail_fast=true", "+engine.options.how=none,raise,abort")
    command = cli(*POOL, *words)
    assert command.code == 4, command.text
    assert "Not started: job 1 failed, and launcher.fail_fast is set." in command.out
    assert [entry["what"] for entry in diary(tmp_path)] == ["begin", "end", "begin"]


@pytest.mark.parametrize(("number", "how"), [(signal.SIGINT, "hang"), (signal.SIGTERM, "deaf")])
def test_ctrl_c_stops_the_jobs_and_keeps_the_summary(
    tmp_path: Path, cache_dir: Path, number: signal.Signals, how: str
) -> None:
    words = (*POOL, "sweep=night", "seed=0,1,2", f"+engine.options.how={how}", "launcher.grace_s=2")
    with started(tmp_path, cache_dir, *words) as process:
        until(lambda: [entry["what"] for entry in diary(tmp_path)].count("child") == 2)
        process.send_signal(number)
        out, err = process.communicate(timeout=40)
    assert process.returncode == 130, out + err
    assert "Traceback" not in out + err
    assert "3 job(s), worst: interrupted" in out and "job 2: Not started: the sweep was interrupted." in out
    assert _verdicts(tmp_path) == ["interrupted", "interrupted"]
    assert (tmp_path / "multirun/generate/night/report/index.html").is_file()
    pids = {entry[key] for entry in diary(tmp_path) for key in ("worker", "pid", "parent") if key in entry}
    assert len(pids - {process.pid}) == 5 and not any(map(alive, pids))


def test_nothing_outlives_a_driver_that_is_killed_and_nobody_shares_its_folder(
    cli: Cli, tmp_path: Path, cache_dir: Path
) -> None:
    words = (*POOL, "sweep=night", "seed=0,1", "+engine.options.how=hang")
    with started(tmp_path, cache_dir, *words) as process:
        until(lambda: [entry["what"] for entry in diary(tmp_path)].count("child") == 2)
        second = cli(*words)
        assert second.code == 2, second.text
        assert f"is in use by another fvhydra (process {process.pid} on" in second.err
        pids = {entry[key] for entry in diary(tmp_path) for key in ("worker", "pid", "parent") if key in entry}
        assert all(map(alive, pids))
        process.kill()
        until(lambda: not any(map(alive, pids)), timeout_s=10)


def test_libraries_are_loaded_once_for_many_jobs_and_each_is_a_process(cli: Cli, tmp_path: Path) -> None:
    assert cli(*POOL, "seed=0,1,2,3").code == 0
    notes = diary(tmp_path)
    assert len({entry["worker"] for entry in notes}) == 4
    assert len({entry["parent"] for entry in notes}) == 1


@pytest.mark.slow
def test_an_error_of_the_launcher_itself_takes_no_result_along(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "spoiler.py").write_text(SPOILER)
    words = ("engine._target_=spoiler.Spoiler", "sweep=night", "seed=0,1,2", "gpu=l40s", "launcher.devices=[0]")
    command = cli(*POOL, *words)
    assert command.code == 4, command.text
    assert _verdicts(tmp_path) == ["done", "infrastructure", "infrastructure"]
    assert "job 2: IsADirectoryError" in command.out and "3 job(s), worst: infrastructure" in command.out


@pytest.mark.slow
def test_when_the_process_with_the_libraries_dies_the_next_job_has_another(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "deadly").touch()
    command = cli(*POOL, "sweep=night", "seed=0,1,2", "launcher.workers=1")
    assert command.code == 4, command.text
    assert _verdicts(tmp_path) == ["infrastructure", "done", "done"]


@pytest.mark.slow
def test_a_copy_makes_what_a_fresh_process_makes(cli: Cli) -> None:
    words = ("model=wan22_ti2v_5b,ltx2", "prompt_index=0")
    seeded = cli("-m", "op=seed_ssim", *words, "op.confirm=upload")
    assert seeded.code == 0, seeded.text
    checked = cli("op=check_ssim", *words, "launcher=pool", "tier.perturb_weights=0,1")
    assert checked.code == 1 and checked.out.count(" pass  ") >= 2, checked.text
    assert "4 job(s), worst: regression" in checked.out
