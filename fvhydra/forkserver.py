# SPDX-License-Identifier: Apache-2.0
"""``python -m fvhydra.forkserver <job folder>``: a process that has loaded what jobs need, and forks for each of them.

Importing a pipeline's libraries takes seconds, and jobs on the CPU often no more than that. This process imports what
the job in the given folder needs, generates nothing, starts no thread and touches no device; each job is then a copy of
it with a process group, environment and log of its own. Jobs with GPUs are not run this way, since CUDA does not
survive it; this process and its copies see none.

It reads one JSON object a line, ``{"id", "arguments", "log", "environment"}``, and answers ``{"id", "pid"}`` when that
worker has started and ``{"id", "status"}`` when it has ended (as ``subprocess`` counts: negative for signals). It ends
when nobody writes to it any more; the workers have a tether of their own.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from fvhydra import worker
from fvhydra.engines.choice import warm_engine
from fvhydra.launch.job_file import read_job


def main() -> None:
    """Serve until the other end is closed."""
    woken, waker = os.pipe()
    for end in (woken, waker):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    answers = _own_stdout()
    with contextlib.suppress(Exception, SystemExit):  # whatever is wrong, the job itself says so
        _load(Path(sys.argv[1]))
    gc.freeze()  # collecting in a worker would copy every page
    ids: dict[int, int] = {}
    asked = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
        if 0 in ready:
            data = os.read(0, 65536)
            if not data:
                return
            *lines, asked = (asked + data).split(b"\n")
            for line in lines:
                request = json.loads(line)
                pid = _divide(request, answers)
                ids[pid] = request["id"]
                _answer(answers, id=request["id"], pid=pid)
        while (ended := _ended()) is not None:
            _answer(answers, id=ids.pop(ended[0]), status=os.waitstatus_to_exitcode(ended[1]))


def _own_stdout() -> int:
    """A descriptor for answers alone: libraries may print what they like when they are imported."""
    answers, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return answers


def _load(folder: Path) -> None:
    import fvhydra.report.write  # noqa: F401  every job writes a report

    job = read_job(folder)
    if job.op.writes_run_folder:
        warm_engine(job.config.engine, job.config.model)


def _divide(request: dict[str, Any], answers: int) -> int:
    """Start a worker; returns its process id in the parent, and never in the child."""
    pid = os.fork()
    if pid:
        with contextlib.suppress(OSError):  # it has done so itself
            os.setpgid(pid, pid)
        return pid
    code = 1
    try:
        os.setpgid(0, 0)
        os.close(answers)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.environ.clear()
        os.environ.update(request["environment"])
        code = worker.main(request["arguments"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _ended() -> tuple[int, int] | None:
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


def _answer(answers: int, **facts: int) -> None:
    os.write(answers, json.dumps(facts).encode() + b"\n")


if __name__ == "__main__":
    main()
