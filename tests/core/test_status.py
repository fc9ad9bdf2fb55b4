# SPDX-License-Identifier: Apache-2.0
"""The status of a run moves while it works, says when it will end, and stays what it was when it has ended."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fvhydra.core import gpus, status, untrusted
from fvhydra.core.environment import now
from fvhydra.core.result import RunResult
from fvhydra.core.run import RunFolder
from fvhydra.core.status import LiveStatus
from fvhydra.core.verdict import Verdict


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    at = [1000.0]
    monkeypatch.setattr(status.time, "monotonic", lambda: at[0])
    yield at


@pytest.fixture
def live(tmp_path: Path, clock: list[float]) -> LiveStatus:
    live = LiveStatus(tmp_path / "status" / "status.json")
    live.set_state("running")
    return live


def _written(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = untrusted.read_json(folder / "status" / "status.json")
    return found


def _eta(live: LiveStatus, folder: Path) -> float | None:
    live.write()
    eta: float | None = _written(folder)["eta_s"]
    return eta


def test_the_heart_beats_while_work_is_done_and_no_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "PERIOD_S", 0.02)
    run = RunFolder(tmp_path / "run")
    run.start(op="generate", model="m", title="", command=[], config={})
    with run.live.beating():
        run.stage("generate", 2, "a prompt")
        for step in range(1, 6):
            run.step(step, 5)
            time.sleep(0.05)
        assert {"state": "running", "stage": "generate", "clip": 2, "step": 5, "steps": 5}.items() <= _written(
            run.path
        ).items()
        run.finish(RunResult("generate", Verdict.PASS))
        time.sleep(0.1)
    assert _written(run.path)["state"] == "finished" and _written(run.path)["eta_s"] is None
    assert not [thread for thread in threading.enumerate() if thread.name == "heart-beat"]
    assert [path.name for path in (run.path / "status").iterdir() if path.name.startswith(".tmp-")] == []


def test_a_folder_that_was_taken_away_does_not_come_back(live: LiveStatus, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "status")
    with pytest.raises(FileNotFoundError):
        live.write()
    assert not (tmp_path / "status").exists()


def test_when_it_will_end(live: LiveStatus, tmp_path: Path, clock: list[float]) -> None:
    clock[0] += 60  # loading says nothing of the pace
    live.part(2, 6)  # two cases are an earlier attempt's
    live.stage("generate", 2)
    assert _eta(live, tmp_path) is None
    clock[0] += 10
    live.step(5, 10)
    assert _eta(live, tmp_path) == 70  # half a case in 10 s, three and a half to go
    clock[0] += 4
    assert _eta(live, tmp_path) == 66
    clock[0] += 6
    live.step(10, 10)
    live.stage("compare", 2)
    live.step(1, 10)  # of another stage of the same case
    assert _eta(live, tmp_path) == 60
    live.part(3, 6)
    assert _eta(live, tmp_path) == 60
    clock[0] += 1000
    assert _eta(live, tmp_path) == 0


def test_a_run_of_one_long_stage(live: LiveStatus, tmp_path: Path, clock: list[float]) -> None:
    live.stage("score", msg="100 sample(s)")
    live.step(0, 100)
    clock[0] += 5
    live.step(25, 100)
    assert _eta(live, tmp_path) == 15
    live.stage("write")
    assert _eta(live, tmp_path) is None and "step" not in _written(tmp_path)


def test_notes_stay_until_they_are_taken_away(live: LiveStatus, tmp_path: Path) -> None:
    live.note(budget_s=600, guard="clip 1")
    live.note(guard=None)
    live.stage("x")
    live.write()
    assert _written(tmp_path)["budget_s"] == 600 and "guard" not in _written(tmp_path)
    live.set_state("running")  # another attempt in this process
    assert "budget_s" not in _written(tmp_path) and "stage" not in _written(tmp_path)


def test_who_and_since_when(live: LiveStatus, tmp_path: Path, clock: list[float]) -> None:
    clock[0] += 12.34
    live.set_state("failed", verdict="infrastructure")
    found = _written(tmp_path)
    assert found["elapsed_s"] == 12.3 and found["verdict"] == "infrastructure"
    assert found["started"] <= found["updated"] <= now()


def test_the_memory_of_gpus_is_asked_now_and_then(
    live: LiveStatus, tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho x >> {tmp_path}/asked\nprintf '1024\\n20000\\n'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    live.write()
    assert "gpu_memory_mb" not in _written(tmp_path) and not (tmp_path / "asked").exists()  # none to ask for
    monkeypatch.setattr(gpus, "surely_without_gpu", lambda: False)
    for _ in range(3):
        live.write()
    assert _written(tmp_path)["gpu_memory_mb"] == [1024, 20000]
    assert (tmp_path / "asked").read_text() == "x\n"
    clock[0] += 11
    program.write_text("#!/bin/sh\nexit 9\n")
    live.write()
    assert _written(tmp_path)["gpu_memory_mb"] == [1024, 20000]
