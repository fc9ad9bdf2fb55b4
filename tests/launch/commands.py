# SPDX-License-Identifier: Apache-2.0
"""Commands that run on while the test looks at them, and an engine that notes where it runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import clean_environment, heed_ctrl_c

DIARIST = """
import json, os, signal, subprocess, sys, time
from pathlib import Path
from fvhydra.engines.mock import MockEngine

NOTED = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "HF_TOKEN", "HF_API_KEY")

class Diarist(MockEngine):
    @classmethod
    def warm(cls, model):
        print("as some libraries do when they are imported")
        Path("warmed").write_text(repr(os.environ.get("CUDA_VISIBLE_DEVICES")))
        if Path("deadly").exists():
            Path("deadly").unlink()
            os.abort()

    def generate(self, case, progress):
        options = self.config.options
        self.note("begin", case)
        progress.stage("obey", case.index)
        time.sleep(options.get("seconds", 0))
        how = options.get("how")
        if how == "raise":
            raise RuntimeError("the kernel is broken")
        if how == "abort":
            os.abort()
        if how in ("SIGKILL", "SIGSEGV"):
            os.kill(os.getpid(), getattr(signal, how))
        if how in ("hang", "deaf"):
            child = subprocess.Popen(["sleep", "600"])
            self.note("child", case, pid=child.pid)
            if how == "deaf":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
        media = super().generate(case, progress)
        self.note("end", case)
        return media

    def note(self, what, case, **facts):
        facts |= {"what": what, "seed": case.seed, "time": time.monotonic()}
        facts |= {"worker": os.getpid(), "parent": os.getppid()}
        facts |= {name: os.environ.get(name) for name in NOTED}
        with open("diary", "a") as diary:
            diary.write(json.dumps(facts) + "\\n")
"""

JOBS = ("op=generate", "engine=mock", "engine._target_=diarist.Diarist", "model=wan22_ti2v_5b", "prompt=a cat")
POOL = (*JOBS, "launcher=pool")


def diary(folder: Path) -> list[dict[str, Any]]:
    """What the engine noted so far, in order."""
    path = folder / "diary"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@contextmanager
def started(
    folder: Path, cache_dir: Path, *words: str, own_group: bool = False, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """A command that runs, on request with a process group of its own; it is killed in the end if it still does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fvhydra", *words],
        cwd=folder,
        env=clean_environment(folder, cache_dir) | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,
        start_new_session=own_group,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(condition: Callable[[], Any], timeout_s: float = 60) -> Any:
    """Wait for something to become true, and return it."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody asked about does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z" and os.path.exists(f"/proc/{pid}")
