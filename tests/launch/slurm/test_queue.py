# SPDX-License-Identifier: Apache-2.0
"""What Slurm says of jobs: while it remembers them, after that, and when it says nothing."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fvhydra.config.launcher import SlurmLauncherConfig
from fvhydra.core.errors import InfrastructureError
from fvhydra.launch.slurm import queue, submissions
from fvhydra.launch.slurm.batch import Batch
from fvhydra.launch.slurm.commands import complaint
from fvhydra.launch.slurm.queue import Standing
from tests.servers.slurm import Cluster

SCRIPT = """#!/bin/bash
#SBATCH --job-name=kinds
#SBATCH --array=0-4%3
#SBATCH --output=/dev/null
case $SLURM_ARRAY_TASK_ID in
  0) exit 0 ;;
  1) exit 3 ;;
  2) kill -9 $$ ;;
  *) exec sleep 600 ;;
esac
"""


def _script(name: str) -> str:
    return SCRIPT.replace("kinds", name)


SETTINGS = SlurmLauncherConfig(name="slurm")


@pytest.fixture
def array(slurm: Cluster, tmp_path: Path) -> Iterator[str]:
    """An array called as its test: two jobs that run on, three that ended."""
    submissions.submit(tmp_path, Batch(tmp_path.name, [0, 1, 2, 3, 4], _script(tmp_path.name)), SETTINGS)
    array = submissions.submitted(tmp_path)[0].partition("_")[0]
    deadline = time.monotonic() + 30
    while [standing.state for standing in _look(array)[1:]] != ["FAILED"] * 2 + ["RUNNING"] * 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    yield array
    submissions.cancel([array])


def _look(array: str) -> list[Standing]:
    return list(queue.look([f"{array}_{index}" for index in range(5)]).values())


def _how(array: str) -> list[str]:
    return [standing.how.partition(" on ")[0] for standing in _look(array)[:3]]


ENDED = [
    "ended without a result (Slurm: COMPLETED",
    "exited with code 3 (Slurm: FAILED",
    "was killed by SIGKILL (Slurm: FAILED",
]


def test_how_jobs_are(array: str) -> None:
    assert _how(array) == ENDED
    assert [standing.state for standing in _look(array)[3:]] == ["RUNNING"] * 2
    assert _look(array)[3].place in ("RUNNING n1", "RUNNING n2")


def test_the_name_leads_to_the_array(array: str, tmp_path: Path) -> None:
    assert queue.find(tmp_path.name) == array
    assert queue.find("other") is None


@pytest.mark.slow
def test_what_squeue_forgets_is_in_the_accounts(array: str, slurm: Cluster) -> None:
    """MinJobAge of the cluster is 20 s; on a real one it is 5 minutes, and a laptop sleeps longer."""
    deadline = time.monotonic() + 120
    while f"{array}_0" in {task for task, _, _ in queue._squeue()}:
        assert time.monotonic() < deadline
        time.sleep(1)
    assert _how(array) == ENDED
    assert queue.look([f"{array}_77"])[f"{array}_77"].state == "UNKNOWN"


@pytest.mark.slow
def test_silence_is_not_an_end(array: str, slurm: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While slurmctld is away, nothing is known; what is submitted then is submitted when it is back, once."""
    slurm.stop_controller()
    try:
        with pytest.raises(InfrastructureError, match=r"Slurm does not answer: .*contact"):
            _look(array)
        monkeypatch.setattr(submissions, "_PATIENCE_S", 0.0)
        with pytest.raises(InfrastructureError, match="Slurm does not answer"):
            submissions.submit(tmp_path, Batch("late", [7], SCRIPT), SETTINGS)
    finally:
        slurm.start_controller()
    monkeypatch.undo()
    deadline = time.monotonic() + 60
    while not slurm.succeeds("squeue"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert 7 not in submissions.submitted(tmp_path)
    assert [standing.state for standing in _look(array)[3:]] == ["RUNNING"] * 2


def test_an_answer_that_is_lost(slurm: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """sbatch times out after slurmctld has taken the job: it is found by name, and not submitted again."""
    late = tmp_path / "bin" / "sbatch"
    late.parent.mkdir()
    real = slurm.output("which", "sbatch").strip()
    late.write_text(
        f'#!/bin/sh\n{real} "$@" >/dev/null\n'
        "echo 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation' >&2\nexit 1\n"
    )
    late.chmod(0o755)
    monkeypatch.setenv("PATH", str(late.parent), prepend=":")
    submissions.submit(tmp_path, Batch("lost-a1", [0], _script("lost-a1")), SETTINGS)
    jobs = slurm.output("squeue", "-h", "-n", "lost-a1", "-o", "%F").split()
    assert set(jobs) == {submissions.submitted(tmp_path)[0].partition("_")[0]}
    submissions.cancel(set(jobs))


@pytest.mark.parametrize(
    ("standing", "how"),
    [
        (Standing("OUT_OF_MEMORY", 0, "n1"), "ran out of memory (Slurm: OUT_OF_MEMORY on n1)"),
        (Standing("CANCELLED", 15), "was cancelled in Slurm (Slurm: CANCELLED)"),
        (Standing("DEADLINE"), "missed its deadline in Slurm (Slurm: DEADLINE)"),
        (Standing("FAILED", 1 << 8, "n2"), "exited with code 1 (Slurm: FAILED on n2)"),
    ],
)
def test_how_an_end_is_said(standing: Standing, how: str) -> None:
    """Those that no cluster without cgroups can bring about, too."""
    assert standing.ended and standing.how == how


@pytest.mark.parametrize("state", ["PENDING", "CONFIGURING", "COMPLETING", "SUSPENDED", "REQUEUED", "SIGNALING", "NEW"])
def test_states_that_are_no_end(state: str) -> None:
    assert not Standing(state).ended


def test_what_a_command_complains_of() -> None:
    said = "sbatch: unrecognized option '--nonsense'\nTry \"sbatch --help\" for more information\n"
    assert complaint(subprocess.CompletedProcess(("sbatch",), 255, "", said)) == "unrecognized option '--nonsense'"
