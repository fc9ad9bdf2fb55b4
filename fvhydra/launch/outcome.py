# SPDX-License-Identifier: Apache-2.0
"""What became of a job that ran in a process of its own: its log while it runs, its result when it has ended."""

from __future__ import annotations

import codecs
import contextlib
import re
import signal
from pathlib import Path

from fvhydra.core.errors import UsageError
from fvhydra.core.progress import Progress, Stage, Step, parse_line
from fvhydra.core.result import RunResult
from fvhydra.core.run import RunFolder
from fvhydra.core.verdict import Verdict
from fvhydra.launch.job import Job, record, start

_ERROR = re.compile(r"(Fatal Python error: .+|[\w.]*(Error|Exception|Exit)\b.*|.*\berror: .+)", re.IGNORECASE)
_TAIL_BYTES = 64 * 1024


def job_log(folder: Path) -> Path:
    """Where all output of a job's worker goes, stdout and stderr, and that of its engine."""
    return RunFolder(folder).stdout_log


def ending(returncode: int) -> str:
    """How a process ended, in words: ``was killed by SIGSEGV``, ``exited with code 3``."""
    if returncode < 0:
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(-returncode).name}"
        return f"was killed by signal {-returncode}"
    return f"exited with code {returncode}"


def outcome(job: Job, how: str, interrupted: bool = False) -> RunResult:
    """The result that a worker left; when it left none, what that means, recorded in the job's folder.

    Args:
        how: How the worker ended, as :func:`ending` says it, or in the words of whoever ran it:
            ``ran into Slurm's time limit``.
        interrupted: Whether it was stopped on purpose.
    """
    with contextlib.suppress(UsageError):
        return job.folder.result
    log = job_log(job.folder.path)
    because = error_line(log)
    result = RunResult(
        op=job.config.op.name,
        model=job.model,
        title=job.title,
        verdict=Verdict.INTERRUPTED if interrupted else Verdict.INFRASTRUCTURE,
        message="Interrupted." if interrupted else f"The worker {how}{f': {because}' if because else '.'}",
        notes=[f"Its log: {log}"] if log.is_file() else [],
    )
    if not (job.folder.path / "manifest.json").is_file():
        start(job)
    return record(job.folder, result)


def error_line(log: Path) -> str:
    """The last line of a log that looks like an error; empty when none does."""
    try:
        with open(log, "rb") as handle:
            handle.seek(max(log.stat().st_size - _TAIL_BYTES, 0))
            lines = handle.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    found = [line.strip() for line in lines if parse_line(line) is None and _ERROR.fullmatch(line.strip())]
    return found[-1] if found else ""


class Follower:
    """Reads the log of a running job and tells a listener of its progress.

    Use :meth:`poll` where the log grows on a disk that this machine sees, :meth:`feed` where it arrives as text.
    """

    def __init__(self, log: Path, listener: Progress) -> None:
        self._log, self._listener = log, listener
        self._position = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._begun = ""

    def poll(self) -> None:
        """Read what is new in the log."""
        try:
            with open(self._log, "rb") as handle:
                handle.seek(self._position)
                new = handle.read()
        except OSError:  # not there yet
            return
        self._position += len(new)
        self.feed(self._decoder.decode(new))

    def feed(self, text: str) -> None:
        """Take a piece of the log; an incomplete line is kept until the rest arrives."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            said = parse_line(line)
            if isinstance(said, Stage):
                self._listener.stage(said.stage, said.case, said.msg)
            elif isinstance(said, Step):
                self._listener.step(said.done, said.total)
