# SPDX-License-Identifier: Apache-2.0
"""A person at the login node of the cluster: commands that run on while the test goes on, and jobs that obey it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import Command, clean_environment, heed_ctrl_c
from tests.servers.slurm import Cluster

_PATIENCE_S = 60

# an engine that notes where it runs, waits until it may go on, and then ends as its options say
_OBEDIENT = """
import json, os, signal, sys, time
from pathlib import Path
from fvhydra.engines.mock import MockEngine

class Obedient(MockEngine):
    def generate(self, case, progress):
        slurm = ("SLURM_ARRAY_TASK_ID", "SLURMD_NODENAME", "CUDA_VISIBLE_DEVICES", "SLURM_RESTART_COUNT")
        names = (*slurm, "HF_TOKEN", "BY_SETUP", "BY_PYTHON")
        with open("diary", "a") as diary:
            diary.write(json.dumps({name: os.environ.get(name) for name in names} | {"seed": case.seed}) + "\\n")
        options = self.config.options
        progress.stage("obey", case.index)
        while options.get("wait") and not Path("go").exists():
            time.sleep(0.05)
        how = options.get("how")
        if how == "raise":
            raise RuntimeError("the kernel is broken")
        if how == "exit":
            sys.exit(7)
        if how in ("SIGKILL", "SIGSEGV"):
            os.kill(os.getpid(), getattr(signal, how))
        return super().generate(case, progress)
"""


class Site:
    """An empty folder on a disk that the nodes share, with an engine in it that does as it is told."""

    def __init__(self, folder: Path, cache_dir: Path, cluster: Cluster) -> None:
        self.folder, self.cluster = folder, cluster
        self._drivers: list[Driver] = []
        self._environment = clean_environment(folder, cache_dir)
        (folder / "obedient.py").write_text(_OBEDIENT)

    def start(self, *words: str, **environment: str) -> Driver:
        """Start a sweep called ``night``; its jobs generate one small clip each."""
        engine = ("engine=mock", "engine._target_=obedient.Obedient", "model=wan22_ti2v_5b", "prompt=a cat")
        launcher = ("launcher=slurm", "launcher.poll_s=0.2")
        return self._started("op=generate", *launcher, *engine, "sweep=night", *words, **environment)

    def attach(self) -> Driver:
        """Come back to it."""
        return self._started("op=attach", f"run={self.sweep}")

    def _started(self, *words: str, **environment: str) -> Driver:
        process = subprocess.Popen(
            [sys.executable, "-m", "fvhydra", *words],
            cwd=self.folder,
            env=self._environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=heed_ctrl_c,
        )
        self._drivers.append(Driver(process))
        return self._drivers[-1]

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever became of the test, no driver and no job of it goes on."""
        for driver in self._drivers:
            driver.kill()
        if self.states():
            self.cluster.succeeds("scancel", *self.ids())
            self.wait_for(lambda: not self.states())

    def wait_for(self, happened: Callable[[], bool]) -> None:
        """Wait until it has; a driver that ends meanwhile has failed."""
        deadline = time.monotonic() + _PATIENCE_S
        while not happened():
            for driver in self._drivers:
                assert driver.runs, driver.end().text
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(0.05)

    def go(self) -> None:
        """Let the jobs that wait end."""
        (self.folder / "go").touch()

    @property
    def sweep(self) -> Path:
        return self.folder / "multirun" / "generate" / "night"

    def diary(self) -> list[dict[str, Any]]:
        """What the jobs noted when they began, in that order."""
        diary = self.folder / "diary"
        return [json.loads(line) for line in diary.read_text().splitlines()] if diary.exists() else []

    def result(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.sweep / str(number) / "result.json").read_text())
        return found

    def ids(self) -> list[str]:
        """Those of all arrays that were submitted here."""
        notes = sorted((self.sweep / "slurm").glob("*.json"))
        return [id for note in notes if (id := json.loads(note.read_text())["id"])]

    def states(self) -> list[str]:
        """Those of this sweep's jobs that Slurm still has, by index."""
        if not self.ids():
            return []
        rows = self.cluster.output("squeue", "-h", "-r", "-j", ",".join(self.ids()), "-o", "%K %T").splitlines()
        return [row.split()[1] for row in sorted(rows)]


class Driver:
    """A command that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._waited_for = False

    @property
    def runs(self) -> bool:
        """Whether it runs, or was waited for until it ended."""
        return self._waited_for or self._process.poll() is None

    def end(self, number: signal.Signals | None = None) -> Command:
        """Send it a signal, if one is given, and wait for its end."""
        if number is not None:
            self._process.send_signal(number)
        self._waited_for = True
        out, _ = self._process.communicate(timeout=_PATIENCE_S * 3)
        return Command(self._process.returncode, out, "")

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        if self._process.poll() is None:
            self.end(signal.SIGKILL)
