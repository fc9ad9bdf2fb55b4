# SPDX-License-Identifier: Apache-2.0
"""A run folder: everything one execution of an op leaves behind, readable without the process that made it.

The layout is described in ``docs/run_folder.md``. Every path that is written *into* a file of the folder is relative to
it, so the folder can be moved, packed and opened elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fvhydra.core import files, untrusted
from fvhydra.core.environment import environment, now
from fvhydra.core.errors import UsageError
from fvhydra.core.progress import format_stage
from fvhydra.core.result import RunResult
from fvhydra.core.run_records import Artifact, Manifest, Status
from fvhydra.core.status import LiveStatus

SCHEMA_VERSION = 1

_ARTIFACTS = "artifacts.jsonl"


def new_run_id() -> str:
    """A name that sorts by time and is unique: ``20261121T031500Z-3f9a1c``."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def refuse_links(folder: Path) -> None:
    """Refuse a run folder in which links would take what is written elsewhere; nothing here makes any.

    Raises:
        UsageError: Names the link.
    """
    for place in (folder, folder / "status", folder / "attempts"):
        links = [path for path in (place, *place.iterdir()) if path.is_symlink()] if place.is_dir() else []
        if links:
            raise UsageError(f"{links[0]} is a link: what is written to a run folder stays in it.", "Remove it.")


class RunFolder:
    """A folder with ``manifest.json``, ``status/``, ``artifacts/``, ``report/`` and ``result.json``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.live = LiveStatus(path / "status" / "status.json")

    @staticmethod
    def is_at(path: Path) -> bool:
        """Whether ``path`` is a run folder, of any version; other programs write a ``manifest.json`` too."""
        if not (path / "manifest.json").is_file():
            return False
        manifest = untrusted.read_json(path / "manifest.json")
        return isinstance(manifest, dict) and {"schema_version", "op"} <= manifest.keys()

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """An existing run folder (a link such as ``outputs/latest`` is followed).

        Raises:
            UsageError: There is no run folder at ``path``.
        """
        try:
            there = (path / "manifest.json").is_file()
        except (OSError, ValueError):  # a name that none can have
            there = False
        if not there:
            raise UsageError(
                f"run={path} is not a run folder (it has no manifest.json).",
                "Give the folder that an earlier command printed, or outputs/latest.",
            )
        refuse_links(path.resolve())
        return cls(path.resolve())

    def start(
        self, *, op: str, model: str, title: str, command: list[str], config: dict[str, Any], **more: Any
    ) -> None:
        """Write the first manifest, with further facts ``more`` of the command, and become ``running``."""
        with files.explained(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        refuse_links(self.path)
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "op": op,
            "model": model,
            "title": title,
            "created": now(),
            "command": command,
            **more,
            "config": config,
            "environment": environment(),
            "cases": [],
            "artifacts": [],
        }
        files.write_json(self.path / "manifest.json", manifest)
        self.set_state("running")

    def point_latest(self, root: Path) -> None:
        """Make ``<root>/latest`` a link to this folder, in one step. A file system without links goes without."""
        link = root / "latest"
        if link.exists() and not link.is_symlink():
            return  # somebody's own folder of that name
        temporary = root / f".latest-{secrets.token_hex(4)}"
        try:
            temporary.symlink_to(os.path.relpath(self.path, root), target_is_directory=True)
            temporary.replace(link)
        except OSError:
            temporary.unlink(missing_ok=True)

    # ------------------------------------------------------------------ manifest
    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest as it is on disk now, with the artifacts that were finished since it was written.

        Raises:
            UsageError: It was damaged, or written by another version.
        """
        manifest = self._written_manifest()
        known = {entry["path"] for entry in manifest["artifacts"]}
        manifest["artifacts"] += [entry for entry in self._newer_artifacts() if entry["path"] not in known]
        return manifest

    def _written_manifest(self) -> dict[str, Any]:
        path = self.path / "manifest.json"
        manifest = untrusted.read_json(path)
        wrong = f"{path} is not a manifest of this version (schema version {SCHEMA_VERSION})"
        if not isinstance(manifest, dict) or manifest.get("schema_version") != SCHEMA_VERSION:
            raise UsageError(f"{wrong}.")
        return dict(untrusted.typed(Manifest, manifest, wrong))

    def update_manifest(self, **changes: Any) -> None:
        """Replace top-level keys of the manifest."""
        files.write_json(self.path / "manifest.json", self._written_manifest() | changes)

    def add_artifact(self, path: Path, case_index: int, fingerprint: str, **facts: Any) -> dict[str, Any]:
        """Record a finished file of ``artifacts/`` with its hash, and further facts (JSON) of how it was made.

        Returns:
            Its entry in the manifest.
        """
        entry = {
            "path": self.relative(path),
            "sha256": files.sha256_file(path),
            "bytes": path.stat().st_size,
            "case": case_index,
            "fingerprint": fingerprint,
            **facts,
        }
        self.record_artifact(entry)
        return entry

    def record_artifact(self, entry: dict[str, Any]) -> None:
        """Add an entry to the manifest; until the run ends it is a line of a file, since there may be thousands."""
        files.append_line(self.path / _ARTIFACTS, files.canonical_json(entry))

    def _newer_artifacts(self) -> Iterator[dict[str, Any]]:
        path = self.path / _ARTIFACTS
        if not path.is_file():
            return
        for number, line in untrusted.read_lines(path):
            where = f"{path} line {number}"
            try:
                entry = untrusted.parse_json(line, where)
            except UsageError:  # of a process that was killed while it wrote
                return
            with contextlib.suppress(UsageError):
                yield dict(untrusted.typed(Artifact, entry, f"{where} is no artifact"))

    def relative(self, path: Path) -> str:
        """``path`` as it is written into files of the folder."""
        return path.relative_to(self.path).as_posix()

    def inside(self, relative: str) -> Path:
        """The inverse of :meth:`relative`.

        Raises:
            UsageError: It is no path, or leads out of the folder (a tampered record).
        """
        return untrusted.inside(self.path, relative)

    # ------------------------------------------------------------------ status
    @property
    def stdout_log(self) -> Path:
        """Where everything goes that processes of their own print: the job's worker, its engine."""
        return self.path / "status" / "stdout.log"

    def set_state(self, state: str, **facts: Any) -> None:
        """Write ``status/status.json``: ``running``, ``finished``, ``failed`` or ``interrupted``."""
        self.live.set_state(state, **facts)

    @property
    def state(self) -> str:
        """The recorded state; ``interrupted`` when it says ``running`` but its process is gone.

        Raises:
            UsageError: There is none, or it was damaged.
        """
        status = self.status
        same_host = status.get("host") == socket.gethostname()
        if status["state"] == "running" and same_host and not is_alive(status["pid"]):
            return "interrupted"
        return status["state"]

    @property
    def status(self) -> Status:
        """What ``status/status.json`` says.

        Raises:
            UsageError: There is none, or it was damaged.
        """
        path = self.path / "status" / "status.json"
        found: Status = untrusted.typed(Status, untrusted.read_json(path), f"{path} is not the status of a run")
        return found

    def stage(self, stage: str, case: int | None = None, msg: str = "") -> None:
        """Append a line to ``status/progress.log``, see :func:`~fvhydra.core.progress.format_stage`."""
        self.live.stage(stage, case, msg)
        line = format_stage(now(), stage, case, msg) + "\n"
        log = self.path / "status" / "progress.log"
        with files.explained(log), open(log, "a", encoding="utf-8") as handle:
            handle.write(line)

    def step(self, done: int, total: int) -> None:
        """Steps are for the status and the terminal; the log keeps stages."""
        self.live.step(done, total)

    # ------------------------------------------------------------------ result
    def finish(self, result: RunResult) -> None:
        """Complete the manifest, write ``result.json``, and become finished, failed or interrupted."""
        if (self.path / _ARTIFACTS).is_file():
            self.update_manifest(artifacts=self.manifest["artifacts"])
            (self.path / _ARTIFACTS).unlink()
        files.write_json(self.path / "result.json", {**files.plain(result), "exit_code": result.verdict.exit_code})
        states = {130: "interrupted", 4: "failed", 2: "failed"}
        self.set_state(states.get(result.verdict.exit_code, "finished"), verdict=result.verdict)

    @property
    def result(self) -> RunResult:
        """The recorded result."""
        return RunResult.from_json(untrusted.read_json(self.path / "result.json"))


def is_alive(pid: int) -> bool:
    """Whether a process of that number is on this machine, whosever it is."""
    if sys.platform == "win32":  # where signal 0 is Ctrl-C
        import ctypes

        known, still_active = ctypes.c_ulong(), 259
        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
        alive = bool(handle) and ctypes.windll.kernel32.GetExitCodeProcess(handle, ctypes.byref(known))
        ctypes.windll.kernel32.CloseHandle(handle)
        return bool(alive) and known.value == still_active
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
