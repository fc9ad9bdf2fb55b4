# SPDX-License-Identifier: Apache-2.0
"""What can be seen of runs from their folders alone, wherever those are."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fvhydra.core import untrusted
from fvhydra.core.errors import UsageError
from fvhydra.core.places import Place
from fvhydra.core.progress import Stage, Step, parse_line
from fvhydra.core.run import is_alive
from fvhydra.core.run_records import Status
from fvhydra.core.text import printable
from fvhydra.core.verdict import Verdict

TAILS = {
    "progress": ("status/progress.log",),
    "stdout": ("status/stdout.log",),
    "error": ("status/error.log",),
}
"""Words of ``op.tail``, each with its file; of several the first that is there."""

_DEEPEST = 5
"""Folders inside each other in which runs are looked for."""
_MOST_RUNS = 1_000
_TAIL_BYTES = 64 * 1024
_RECORD_BYTES = 16 * 2**20


def find_runs(place: Place) -> list[str]:
    """Paths of the runs in a folder, or ``""`` when it is one itself; a run in a run (an earlier attempt) is none."""
    found: list[str] = []
    level = [""]
    for _ in range(_DEEPEST):
        below: list[str] = []
        for path in level:
            names = place.names(path)
            if "status" in names or "job.json" in names:
                found.append(path)
            else:
                below += [f"{path}/{name}".lstrip("/") for name in place.folders(path) if not name.startswith(".")]
        level = below
        if len(found) >= _MOST_RUNS:
            break
    return sorted(found[:_MOST_RUNS])


@dataclass
class Tail:
    """The end of a file that grows.

    Attributes:
        word: Which file, as ``op.tail`` names it.
        lines: The newest lines, the last one as far as it is written.
        fresh: How many of them came with the last look.
    """

    word: str
    keep: int
    lines: list[str] = field(default_factory=list)
    fresh: int = 0
    _position: int | None = None
    _begun: bytes = b""

    def look(self, place: Place, run: str) -> None:
        """Read what is new."""
        self.fresh = 0
        for name in TAILS[self.word]:
            path = f"{run}/{name}".lstrip("/")
            size = place.size(path)
            if size is not None:
                break
        else:
            return
        if self._position is None or size < self._position:  # the first look, or another file of that name
            self._position, self._begun = max(size - _TAIL_BYTES, 0), b""
        if size == self._position:
            return
        new = place.read(path, self._position, _RECORD_BYTES) or b""
        self._position += len(new)
        *whole, self._begun = (self._begun + new).split(b"\n")
        # a bar that draws itself again and again is one line: its last state
        lines = [printable(line.rstrip(b"\r").rpartition(b"\r")[2].decode(errors="replace")) for line in whole]
        self.fresh = min(len(lines), self.keep)
        self.lines = (self.lines + lines)[-self.keep :]


@dataclass
class WatchedRun:
    """A run, as it was seen last.

    Attributes:
        path: Below the folder that is watched; empty when it is that folder.
        what: Its op and model.
        title: What tells it from its neighbours in a sweep.
        state: ``waiting``, ``running``, ``finished``, ``failed``, ``interrupted`` or ``gone``.
        status: What ``status.json`` says; empty where there is none yet.
        exit_code: Of a run that ended.
        silent_s: Seconds since the heart-beat was last seen to move; None where there is none.
        gone: Why its process is surely not there any more; empty while it may be.
    """

    path: str
    tails: list[Tail]
    what: str = ""
    title: str = ""
    state: str = "waiting"
    status: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None
    verdict: Verdict | None = None
    message: str = ""
    silent_s: float | None = None
    gone: str = ""
    moved: float = 0.0
    _seen_at: float | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state not in ("waiting", "running")

    def look(self, place: Place, stale_s: float) -> None:
        """See how far it is."""
        for tail in self.tails:
            tail.look(place, self.path)
        if not self.what:
            self._read_manifest(place)
        before = self.status.get("updated")
        self.status = _status(place, self._in("status/status.json")) or self._of_log(place)
        if not self.status:
            return
        if self.status.get("updated") != before:
            self.moved = time.monotonic()
            self._seen_at = self.moved if before is not None else None
        self.state = str(self.status["state"])
        if self.state != "running":
            self._read_result(place)
            return
        self.silent_s = self._silent_s()
        if self.silent_s is not None and self.silent_s > stale_s and (why := self._why_gone(place)):
            self.state, self.gone = "gone", why
            self.verdict, self.exit_code = Verdict.INFRASTRUCTURE, Verdict.INFRASTRUCTURE.exit_code
            self.message = f"It said running, and {why}."

    def _in(self, name: str) -> str:
        return f"{self.path}/{name}".lstrip("/")

    def _read_manifest(self, place: Place) -> None:
        for name in ("manifest.json", "job.json"):
            record = _record(place, self._in(name))
            if record:
                op = record.get("op") or (record.get("config") or {}).get("op", {}).get("name", "")
                self.what = printable(f"{op} {record.get('model') or ''}").strip()
                self.title = printable(str(record.get("title") or ""))
                return

    def _read_result(self, place: Place) -> None:
        result = _record(place, self._in("result.json")) or {}
        try:
            self.verdict = Verdict(str(result.get("verdict") or self.status.get("verdict")))
        except ValueError:
            self.verdict = Verdict.INFRASTRUCTURE
        self.exit_code = self.verdict.exit_code
        self.message = printable(str(result.get("message") or ""))

    def _of_log(self, place: Place) -> dict[str, Any]:
        """A job that runs where its status is not seen from here tells of itself in its log alone."""
        if (place.size(self._in("result.json"))) is not None:
            result = _record(place, self._in("result.json")) or {}
            return {"state": "finished", "verdict": result.get("verdict")}
        size = place.size(self._in("status/stdout.log"))
        if size is None:
            return {}
        end = place.read(self._in("status/stdout.log"), max(size - _TAIL_BYTES, 0)) or b""
        found: dict[str, Any] = {"state": "running", "updated": f"{size} bytes of log"}
        for line in end.decode(errors="replace").splitlines():
            said = parse_line(line)
            if isinstance(said, Stage):
                found |= {"stage": said.stage, "clip": said.case, "msg": said.msg, "step": None, "steps": None}
            elif isinstance(said, Step):
                found |= {"step": said.done, "steps": said.total}
        return {key: value for key, value in found.items() if value is not None}

    def _silent_s(self) -> float | None:
        """By the clock here once it was seen to move; before that by what it says, as far as clocks agree."""
        if self._seen_at is not None:
            return time.monotonic() - self._seen_at
        try:
            updated = datetime.strptime(str(self.status.get("updated")), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:  # of a log, which is no heart-beat
            return None
        return max((datetime.now(UTC) - updated).total_seconds(), time.monotonic() - self.moved)

    def _why_gone(self, place: Place) -> str:
        """Look for the process on its machine, if that is where the folder is read."""
        pid, host = self.status.get("pid"), self.status.get("host")
        if not isinstance(pid, int):
            return ""
        if place.is_here:
            gone = host == socket.gethostname() and not is_alive(pid)
        elif (there := place.read("/proc/sys/kernel/hostname", most_bytes=256, absolute=True)) is not None:
            # SFTP shows the whole machine, /proc too; a bucket has none
            gone = there.decode(errors="replace").strip() == host and not place.exists(f"/proc/{pid}", absolute=True)
        else:
            return ""
        return f"its process {pid} on {printable(str(host))} is gone" if gone else ""


def _status(place: Place, path: str) -> dict[str, Any]:
    record = _record(place, path)
    if not record:
        return {}
    try:
        return dict(untrusted.typed(Status, record, path))
    except UsageError:
        return {}


def _record(place: Place, path: str) -> dict[str, Any] | None:
    """A JSON object of a run; None where there is none, or what is there is none."""
    data = place.read(path, most_bytes=_RECORD_BYTES)
    if data is None:
        return None
    try:
        value = untrusted.parse_json(data, os.fspath(path))
    except (UsageError, UnicodeDecodeError):
        return None
    return value if isinstance(value, dict) else None


@dataclass(frozen=True)
class View:
    """What is seen at one moment of all runs that are watched.

    Attributes:
        address: Where they are.
        trouble: Why nothing new is seen just now; empty while the place answers.
        stale_s: After how many seconds without a heart-beat that is said.
    """

    address: str
    runs: list[WatchedRun]
    stale_s: float
    trouble: str = ""

    @property
    def over(self) -> bool:
        """Whether all runs have ended."""
        return all(run.ended for run in self.runs)
