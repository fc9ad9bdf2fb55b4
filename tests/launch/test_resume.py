# SPDX-License-Identifier: Apache-2.0
"""Going on with a sweep: jobs are found again under their numbers, and nobody writes into the next attempt."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fvhydra.core import files
from fvhydra.core.errors import UsageError
from fvhydra.core.project import Added
from fvhydra.core.result import RunResult
from fvhydra.core.run import RunFolder
from fvhydra.core.verdict import Verdict
from fvhydra.launch import attempts, resume
from fvhydra.launch.job import Job
from fvhydra.launch.job_file import write_job
from fvhydra.launch.sweep import SweepLauncher, _prepare
from tests.launch.jobs import composed, job

GENERATE = ("op=generate", "engine=mock")


def _jobs(sweep: Path, seeds: Sequence[int], first: int = 0) -> list[Job]:
    """The jobs of ``seed=...`` in the sweep's folder."""
    launcher = SweepLauncher()
    launcher.observer = SimpleNamespace(command=["fvhydra", "-m"], added=Added())  # type: ignore[assignment]
    words = [[*GENERATE, f"seed={seed}"] for seed in seeds]
    return launcher._jobs(sweep, [composed(*each) for each in words], words, first)


def _numbers(sweep: Path, seeds: Sequence[int], first: int = 0) -> list[int]:
    """Their numbers, once their folders are there as those of a sweep that ran."""
    jobs = _jobs(sweep, seeds, first)
    for made in jobs:
        assert made.folder.path == sweep / str(made.number)
        write_job(made)
    return [made.number for made in jobs]


def test_jobs_of_a_new_sweep_are_numbered_in_their_order(tmp_path: Path) -> None:
    assert [(made.number, made.config.seed, made.title) for made in _jobs(tmp_path, [5, 6, 7], first=2)] == [
        (2, 5, "seed=5"),
        (3, 6, "seed=6"),
        (4, 7, "seed=7"),
    ]


def test_a_job_that_is_found_again_keeps_its_number_wherever_it_stands_now(tmp_path: Path) -> None:
    assert _numbers(tmp_path, [5, 6, 7]) == [0, 1, 2]
    assert _numbers(tmp_path, [7, 5, 6]) == [2, 0, 1]
    assert _numbers(tmp_path, [6]) == [1]


def test_new_jobs_get_numbers_that_no_folder_has(tmp_path: Path) -> None:
    assert _numbers(tmp_path, [5, 6]) == [0, 1]
    assert _numbers(tmp_path, [8, 6, 9, 5]) == [2, 1, 3, 0]
    (tmp_path / "9").mkdir()  # whatever it holds
    assert _numbers(tmp_path, [10, 11]) == [10, 11]
    assert _numbers(tmp_path, [12], first=20) == [20]  # its own is free


def test_equal_jobs_are_told_apart_by_their_order(tmp_path: Path) -> None:
    assert _numbers(tmp_path, [5, 5]) == [0, 1]
    assert _numbers(tmp_path, [5, 5, 5]) == [0, 1, 2]


def test_a_record_that_is_damaged_is_nobodys(tmp_path: Path) -> None:
    assert _numbers(tmp_path, [5, 6]) == [0, 1]
    (tmp_path / "0" / "job.json").write_text("{")
    assert list(resume.by_fingerprint(tmp_path).values()) == [[1]]
    assert _numbers(tmp_path, [5, 6]) == [2, 1]


@pytest.fixture
def orphan(tmp_path: Path) -> RunFolder:
    """A folder that a worker, whose driver was killed, writes into for another moment."""
    composed(*GENERATE)  # takes longer than that moment
    folder = RunFolder(tmp_path / "3")
    folder.start(op="generate", model="ltx2", title="", command=[], config={})
    child = subprocess.Popen(["sh", "-c", f"sleep 0.4; echo late > '{folder.path}/late.txt'"])
    status = {"state": "running", "pid": child.pid, "host": socket.gethostname()}
    files.write_json(folder.path / "status" / "status.json", status)
    threading.Thread(target=child.wait).start()  # as init does
    return folder


def test_what_a_worker_still_writes_is_part_of_its_own_attempt(orphan: RunFolder) -> None:
    sent = job(orphan.path, *GENERATE)
    assert _prepare(SimpleNamespace(ended=pytest.fail), sent, {})  # type: ignore[arg-type]
    time.sleep(0.6)
    assert (orphan.path / "attempts" / "1" / "late.txt").is_file()
    assert sorted(path.name for path in orphan.path.iterdir()) == ["attempts", "job.json"]


def test_a_run_whose_process_is_ending_is_waited_for(orphan: RunFolder) -> None:
    folder = resume.interrupted_run(orphan.path, "generate")
    assert folder.path == orphan.path and folder.state == "interrupted" and (orphan.path / "late.txt").is_file()


def _waits_s(folder: RunFolder) -> float:
    before = time.monotonic()
    attempts.wait_for(folder)
    return time.monotonic() - before


def test_nobody_waits_for_what_has_ended_or_says_nothing(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert _waits_s(folder) < 1  # no status at all
    here = {"pid": os.getpid(), "host": socket.gethostname()}
    for status in (
        here | {"state": "finished"},
        here | {"state": "running", "pid": 2**22 + 1},
        {"state": "running"},
        [],
    ):
        files.write_json(tmp_path / "status" / "status.json", status)
        assert _waits_s(folder) < 1


def test_who_lives_on_is_waited_for_no_longer_than_a_worker_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "_ORPHAN_S", 0.3)
    folder = RunFolder(tmp_path)
    folder.start(op="generate", model="", title="", command=[], config={})  # of this process, which lives on
    assert 0.3 <= _waits_s(folder) < 2
    with pytest.raises(UsageError) as refused:
        resume.interrupted_run(tmp_path, "generate")
    assert refused.value.message == f"run={tmp_path} is still running."
    assert refused.value.hint == "Wait for it, or stop it first."
    with pytest.raises(UsageError, match=r"is a run of op=generate, not of op=eval\."):
        resume.interrupted_run(tmp_path, "eval")


@pytest.mark.parametrize("verdict", list(Verdict))
def test_verdicts_on_the_output_are_kept_and_others_come_again(tmp_path: Path, verdict: Verdict) -> None:
    assert resume.settled(tmp_path) is None
    result: dict[str, Any] = files.plain(RunResult("generate", verdict))
    files.write_json(tmp_path / "result.json", result)
    again = verdict in (Verdict.INTERRUPTED, Verdict.INFRASTRUCTURE, Verdict.USAGE_ERROR)
    assert resume.settled(tmp_path) == (None if again else RunResult("generate", verdict))
    (tmp_path / "result.json").write_text("{")
    assert resume.settled(tmp_path) is None
