# SPDX-License-Identifier: Apache-2.0
"""Starting workers on this machine: as new processes, or forked from a process that has loaded their libraries."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Protocol

_POLL_S = 0.02


class Worker(Protocol):
    """A process that runs a job; ``subprocess.Popen`` is one."""

    returncode: int | None

    def poll(self) -> int | None:
        """Its return code when it has ended; negative for a signal."""

    def terminate(self) -> None:
        """Ask it to stop."""


class Workers:
    """All workers of a command. They hold the end of a pipe of this process, and end with it, however it ends."""

    def __enter__(self) -> Workers:
        self._tether, self._held = os.pipe()
        self._servers: dict[tuple[str, ...], list[ForkServer]] = {}
        return self

    def __exit__(self, *raised: object) -> None:
        for server in chain(*self._servers.values()):
            server.close()
        os.close(self._tether)
        os.close(self._held)

    def program(self, command: Sequence[str], log: Path, environment: dict[str, str]) -> Worker:
        """Start a worker as a program, in a process group of its own; Ctrl-C is for the driver alone."""
        with open(log, "ab") as output:
            return subprocess.Popen(
                [*command, "--tether", str(self._tether)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[self._tether],
                start_new_session=True,
            )

    def fork(self, command: Sequence[str], log: Path, environment: dict[str, str], alike: tuple[str, ...]) -> Worker:
        """Start a worker as a copy of a process that has loaded the libraries.

        Args:
            command: ``python -m fvhydra.worker <folder> ...``.
            alike: What jobs that need the same libraries share.
        """
        arguments = command[3:]
        servers = self._servers.setdefault(alike, [])
        if not servers or servers[-1].died:  # of the memory running out, say: an end of its workers alone
            servers.append(ForkServer(Path(arguments[0]), environment, self._tether))
        return servers[-1].start([*arguments, "--tether", str(self._tether)], log, environment)


def kill(worker: Worker) -> None:
    """End a worker and all that is left of its process group, and wait for it."""
    if isinstance(worker, ForkedWorker):
        worker.kill()
    else:
        assert isinstance(worker, subprocess.Popen)
        _kill_group(worker.pid)
        worker.wait()


class ForkServer:
    """The driver's end of :mod:`fvhydra.forkserver`.

    Args:
        folder: A job's, whose libraries are loaded for all.
        environment: What it starts with; threads are counted when libraries are loaded.
        tether: Pipe that workers are tied to.
    """

    def __init__(self, folder: Path, environment: dict[str, str], tether: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fvhydra.forkserver", str(folder.resolve())],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=[tether],
            start_new_session=True,
        )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self._workers: dict[int, ForkedWorker] = {}
        self._heard = b""

    def start(self, arguments: Sequence[str], log: Path, environment: dict[str, str]) -> ForkedWorker:
        """Start a worker with the arguments of :mod:`fvhydra.worker`."""
        worker = self._workers[len(self._workers)] = ForkedWorker(self)
        facts = {"id": len(self._workers) - 1, "arguments": [*arguments], "log": str(log), "environment": environment}
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died; listening says so
            self._process.stdin.write(json.dumps(facts).encode() + b"\n")
            self._process.stdin.flush()
        return worker

    @property
    def died(self) -> bool:
        """Whether the server process has ended by itself."""
        return self._process.poll() is not None

    def listen(self) -> None:
        """Read what the server reported of its workers; when the server has died, its workers have too."""
        assert self._process.stdout is not None
        died = self.died
        self._heard += self._process.stdout.read() or b""
        *lines, self._heard = self._heard.split(b"\n")
        for answer in map(json.loads, lines):
            worker = self._workers[answer["id"]]
            if "pid" in answer:
                worker.begun(answer["pid"])
            else:
                worker.ended(answer["status"])
        for worker in self._workers.values() if died else ():
            worker.ended(self._process.returncode)

    def close(self) -> None:
        """End the server; its workers have ended before."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()


class ForkedWorker:
    """A worker that a server started; it has no ``pid`` until the server has loaded."""

    def __init__(self, server: ForkServer) -> None:
        self._server = server
        self.pid: int | None = None
        self.returncode: int | None = None

    def poll(self) -> int | None:
        self._server.listen()
        return self.returncode

    def terminate(self) -> None:
        if self.pid is None:
            self.ended(-signal.SIGTERM)
        elif self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        if self.pid is None:
            self.ended(-signal.SIGKILL)
        else:
            _kill_group(self.pid)
        while self.poll() is None:
            time.sleep(_POLL_S)

    def begun(self, pid: int) -> None:
        """The server reported the worker's process id."""
        self.pid = pid
        if self.returncode is not None:  # too late: it was stopped before
            _kill_group(pid)

    def ended(self, returncode: int) -> None:
        """Record how the worker ended: as the server reported, by the server's death, or stopped before it began."""
        if self.returncode is None:
            self.returncode = returncode
            if self.pid is not None:
                _kill_group(self.pid)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
