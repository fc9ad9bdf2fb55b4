# SPDX-License-Identifier: Apache-2.0
"""A process that has loaded what commands need, and forks for each of them: many commands start in no time.

Each is a process of its own all the same, with arguments, folder, environment, streams and exit code as
``python -m fvhydra`` would have them.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import random
import runpy
import signal
import socket
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

# nothing that reads the environment while it is imported, as huggingface_hub does
_LOADED = (
    *("fvhydra.driver", "fvhydra.launch.sweep", "fvhydra.launch.plugins", "fvhydra.terminal", "fvhydra.ops.check_ssim"),
    *(
        "fvhydra.ops.seed_ssim",
        "fvhydra.ops.eval",
        "fvhydra.report.write",
        "fvhydra.report.html",
        "fvhydra.engines.mock",
    ),
    *("hydra._internal.hydra", "hydra.core.plugins", "numpy", "cv2", "av", "torch", "yaml", "jinja2", "rich.table"),
)


class CommandServer:
    """The other end of such a process; it ends with this one."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "fvhydra.testing.command_server", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._lock = threading.Lock()
        atexit.register(self.close)

    def run(
        self,
        words: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        streams: Sequence[IO[Any]],
        timeout_s: float,
    ) -> int:
        """Run one command and return its exit code; negative for a signal.

        Args:
            words: After the program's name.
            folder: Where it runs.
            environment: All of it.
            streams: Open files for stdin, stdout and stderr.
            timeout_s: When it is killed.

        Raises:
            subprocess.TimeoutExpired: It took longer.
        """
        with self._lock:
            request = json.dumps({"words": [*words], "folder": str(folder), "environment": dict(environment)}).encode()
            socket.send_fds(self._socket, [len(request).to_bytes(8, "big")], [stream.fileno() for stream in streams])
            self._socket.sendall(request)
            self._socket.settimeout(None)
            pid = int.from_bytes(self._received(8), "big")
            self._socket.settimeout(timeout_s)
            try:
                status = self._received(8)
            except TimeoutError as error:
                os.kill(pid, signal.SIGKILL)
                self._socket.settimeout(None)
                self._received(8)
                raise subprocess.TimeoutExpired([*words], timeout_s) from error
            return os.waitstatus_to_exitcode(int.from_bytes(status, "big"))

    def _received(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            if not (piece := self._socket.recv(count - len(data))):
                raise ConnectionError("the process that commands are forked from has died")
            data += piece
        return data

    def close(self) -> None:
        """End the process."""
        self._socket.close()
        self._process.wait(10)


def _serve(channel: socket.socket) -> None:
    """Fork for every request until the other end is closed."""
    for name in _LOADED:
        importlib.import_module(name)
    while True:
        head, streams, _, _ = socket.recv_fds(channel, 8, 3)
        if not head:
            return
        size, data = int.from_bytes(head, "big"), b""
        while len(data) < size:
            data += channel.recv(size - len(data))
        pid = os.fork()
        if not pid:
            channel.close()
            _become(json.loads(data), streams)
        for stream in streams:
            os.close(stream)
        channel.sendall(pid.to_bytes(8, "big"))
        channel.sendall(os.waitpid(pid, 0)[1].to_bytes(8, "big"))


def _become(request: dict[str, Any], streams: Sequence[int]) -> None:
    """Be ``python -m fvhydra`` in the forked process; never returns."""
    code = 1
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        added = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
        sys.path[:] = [str(Path.cwd()), *(str(Path(path).absolute()) for path in added), *sys.path[1:]]
        importlib.invalidate_caches()
        random.seed()
        sys.modules["numpy"].random.seed()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if os.environ.get("PYTHONWARNINGS") == "ignore":
            warnings.simplefilter("ignore")
        sys.argv = ["fvhydra", *request["words"]]
        try:
            runpy.run_module("fvhydra", run_name="__main__", alter_sys=True)
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        except BaseException:
            traceback.print_exc()
        threading._shutdown()  # type: ignore[attr-defined]  # as the interpreter does before it ends
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as end:
        _serve(end)
