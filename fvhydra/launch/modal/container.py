# SPDX-License-Identifier: Apache-2.0
"""What runs inside a container on Modal: the standard library and the SDK, and the worker as a child process.

The worker is a child so that whatever it does to itself (an abort in native code, the end of its memory) is an answer,
and not the loss of the container, which Modal would start again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any


def run_job(payload: dict[str, Any]) -> dict[str, Any]:
    """Unpack a payload (:mod:`fvhydra.launch.modal.payload`), run its job, put what it left on the outputs' Volume.

    Everything is at the path that it has on the person's machine, so nothing in the job's configuration, its messages
    and its records depends on where it ran.

    Returns:
        ``returncode`` of the worker (negative: minus the signal), ``late`` when it was stopped at its time limit, and
        ``files``: SHA-256 by relative path of what is now below ``payload["outputs"]`` of the Volume.
    """
    for name, data in payload["files"].items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    Path(payload["cwd"]).mkdir(parents=True, exist_ok=True)
    folder = Path(payload["folder"])
    (folder / "status").mkdir(parents=True, exist_ok=True)
    with open(folder / "status" / "stdout.log", "ab") as log:  # the engine adds to it too
        returncode, late = _run_worker(payload, folder, log)
    at_home = set(payload["files"]) - set(payload["back"])
    digests = _copy(folder, Path(payload["outputs"]), leave=set(map(Path, at_home)))
    _commit(payload["volumes"])  # before returning: the person's machine reads the Volume next
    return {"returncode": returncode, "late": late, "files": digests}


def _run_worker(payload: dict[str, Any], folder: Path, log: IO[bytes]) -> tuple[int, bool]:
    """Run the worker; what it prints goes to Modal's log and to the job's. Answers with code and lateness."""
    worker = subprocess.Popen(
        [payload["python"] or sys.executable, "-m", "fvhydra.worker", str(folder), "--no-preflight"],
        env=os.environ | payload["variables"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert worker.stdout is not None
    late = threading.Event()

    def stop() -> None:
        late.set()
        _kill(worker)

    limit = threading.Timer(payload["timeout_s"], stop)
    limit.start()
    try:
        for line in worker.stdout:
            sys.stdout.buffer.write(line)
            sys.stdout.flush()
            log.write(line)
        return worker.wait(), late.is_set()
    finally:  # of a preempted container too
        limit.cancel()
        _kill(worker)


def _kill(worker: subprocess.Popen[bytes]) -> None:
    """End the worker with all its children. Not politely: a job at its limit has no verdict."""
    try:
        os.killpg(worker.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _copy(folder: Path, target: Path, leave: set[Path]) -> dict[str, str]:
    """Copy what the job made; SHA-256 of each file by relative path. ``leave`` came with the payload and is at home."""
    digests = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path in leave or path.name.startswith(".tmp-"):
            continue
        relative = path.relative_to(folder)
        (target / relative).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / relative)
        with open(path, "rb") as handle:
            digests[relative.as_posix()] = hashlib.file_digest(handle, "sha256").hexdigest()
    return digests


def _commit(volumes: list[str]) -> None:
    import modal

    for name in volumes:
        modal.Volume.from_name(name).commit()
