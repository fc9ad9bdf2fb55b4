# SPDX-License-Identifier: Apache-2.0
"""One process of the cluster."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_POLL_S = 0.02


class Daemon:
    """A command in a session of its own, its output in ``<logs>/<name>.out``. It ends when its parent does."""

    def __init__(self, name: str, command: Sequence[str], logs: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log = logs / f"{name}.out"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def wait_until(self, ready: Callable[[], bool], timeout_s: float = 30) -> None:
        """Wait until ``ready()``, and no longer than the process lives.

        Raises:
            RuntimeError: With the end of the log.
        """
        end = time.monotonic() + timeout_s
        while not ready():
            if not self.alive or time.monotonic() > end:
                what = "is not ready" if self.alive else f"ended with {self._process.returncode}"
                tail = self.log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.name} {what}; {self.log} ends with:\n{tail}")
            time.sleep(_POLL_S)

    def stop(self, grace_s: float = 10) -> None:
        """Ask it to end, insist after ``grace_s``."""
        self._process.terminate()
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
