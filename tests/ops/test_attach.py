# SPDX-License-Identifier: Apache-2.0
"""``op=attach`` comes back to jobs that go on without their command, of any launcher that lets them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.launch.commands import alive, started, until

# starts all at once, notes their processes, and lets them go on
KEEPING = """
import json, os, subprocess, time
from fvhydra.launch.base import Launcher, attach_command, worker_command
from fvhydra.launch.job import not_run
from fvhydra.launch.outcome import Follower, job_log, outcome
from fvhydra.launch.tokens import worker_environment

class Keeping(Launcher):
    attaches = True

    def run(self, jobs):
        for job in jobs:
            log = job_log(job.folder.path)
            log.parent.mkdir(parents=True, exist_ok=True)
            with open(log, "ab") as output:
                environment = worker_environment(self.settings)
                process = subprocess.Popen(
                    worker_command(job), env=environment, stdout=output, stderr=output, start_new_session=True
                )
            with open(self.sweep_folder / "processes", "a") as notes:
                notes.write(json.dumps({"job": job.number, "pid": process.pid}) + "\\n")
        self._follow(jobs, self._pids())

    def attach(self, jobs):
        pids = self._pids()
        for job in jobs:
            if job.number not in pids:
                self.skipped(job, "it was never started")
        self._follow([job for job in jobs if job.number in pids], pids)

    def _pids(self):
        lines = (self.sweep_folder / "processes").read_text().splitlines()
        return {note["job"]: note["pid"] for note in map(json.loads, lines)}

    def _follow(self, jobs, pids):
        followers = {job.number: Follower(job_log(job.folder.path), self.listen(job)) for job in jobs}
        left = list(jobs)
        try:
            while left:
                for job in list(left):
                    followers[job.number].poll()
                    if self._over(pids[job.number]):
                        left.remove(job)
                        self.ended(job, outcome(job, "has ended"))
                time.sleep(0.05)
        except KeyboardInterrupt:
            for job in left:
                result = not_run(job, "")
                result.message = f"It goes on; to come back to it: {attach_command(self.sweep_folder)}."
                self.ended(job, result)
            raise

    def _over(self, pid):
        try:
            state = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0]
        except OSError:
            return True
        return state == "Z"
"""

# notes that it began, and waits until it may go on
WAITING = """
import os, time
from pathlib import Path
from fvhydra.engines.mock import MockEngine

class Waiting(MockEngine):
    def generate(self, case, progress):
        Path(f"began {os.getpid()}").touch()
        while not Path("go").exists():
            time.sleep(0.05)
        return super().generate(case, progress)
"""

SWEEP = (
    *("-m", "op=generate", "engine=mock", "engine._target_=waiting.Waiting", "model=wan22_ti2v_5b", "prompt=a cat"),
    *("seed=1,2", "launcher=keeping", "sweep=kept", "--config-dir=own"),
)
ATTACH = ("op=attach", "run=multirun/generate/kept", "--config-dir=own")


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Path]:
    """The folder of the sweep ``kept``; what of it still runs in the end is killed."""
    (tmp_path / "waiting.py").write_text(WAITING)
    (tmp_path / "keeping.py").write_text(KEEPING)
    (tmp_path / "own" / "launcher").mkdir(parents=True)
    (tmp_path / "own" / "launcher" / "keeping.yaml").write_text("_target_: keeping.Keeping\nname: keeping\n")
    yield tmp_path / "multirun" / "generate" / "kept"
    for pid in _began(tmp_path):
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


def _began(folder: Path) -> list[int]:
    """Processes of the jobs that began."""
    return [int(path.name.split()[1]) for path in folder.glob("began *")]


def _left(folder: Path, cache_dir: Path) -> str:
    """Start the sweep, interrupt the command when both jobs run, and return what it printed."""
    with started(folder, cache_dir, *SWEEP) as process:
        until(lambda: len(_began(folder)) == 2)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    return out


def test_jobs_of_a_command_that_ended_are_followed_to_their_end(
    cli: Cli, tmp_path: Path, cache_dir: Path, kept: Path
) -> None:
    assert "op=attach run=multirun/generate/kept" in _left(tmp_path, cache_dir)
    assert not (kept / "0" / "result.json").exists()
    with started(tmp_path, cache_dir, *ATTACH) as process:
        until(lambda: f"process {process.pid} " in (kept / ".lock").read_text())
        (tmp_path / "go").touch()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and "2 job(s), worst: done" in out, out + err
    assert "job 1 generate" in err, "what they say is shown"
    assert len(_began(tmp_path)) == 2, "nothing was started again"
    again = cli(*ATTACH)
    assert again.code == 0 and again.out.count("reused") == 2, again.text


def test_a_job_that_was_never_started_is_named_and_one_that_died_has_failed(
    cli: Cli, tmp_path: Path, cache_dir: Path, kept: Path
) -> None:
    _left(tmp_path, cache_dir)
    notes = kept / "processes"
    first, second = map(json.loads, notes.read_text().splitlines())
    notes.write_text(json.dumps(first) + "\n")
    for note in (first, second):
        os.kill(note["pid"], signal.SIGKILL)
    until(lambda: not alive(first["pid"]))
    attached = cli(*ATTACH)
    assert attached.code == 4, attached.text
    assert "job 0: The worker has ended" in attached.out
    assert "job 1: Not started: it was never started." in attached.out
    assert "with sweep=" in attached.out


def test_what_nobody_can_come_back_to_is_refused(cli: Cli, command: Cli, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    elsewhere = command("op=attach", "run=own")
    assert elsewhere.code == 2 and "own is not the folder of a sweep" in elsewhere.err
    as_a_job = command("-m", "op=attach", "seed=1,2")
    assert as_a_job.code == 2 and "op=attach follows jobs" in as_a_job.text
    ran = cli("-m", "op=generate", "engine=mock", "model=wan22_ti2v_5b", "seed=1", "sweep=here")
    assert ran.code == 0
    local = command("op=attach", "run=multirun/generate/here")
    assert local.code == 2 and "launcher=local, whose jobs end with their command" in local.err, local.text
