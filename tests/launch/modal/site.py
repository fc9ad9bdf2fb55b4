# SPDX-License-Identifier: Apache-2.0
"""A machine with fvhydra and an account at a Modal of our own."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import Command, run_cli
from tests.launch.commands import started
from tests.servers.modal import ModalServer

_ENGINE = "_target_: trouble.Trouble\nname: trouble\noptions: {kind: none, seconds: 0, driver: /nowhere}\n"
TROUBLE = ("--config-dir=own", "engine=trouble", "launcher.image.sources=[trouble]")


@dataclass
class Site:
    """Commands run in ``folder``, where the engine of ``trouble.py`` can be chosen with the words :data:`TROUBLE`."""

    folder: Path
    cache_dir: Path
    modal: ModalServer

    def run(self, *words: str, **environment: str) -> Command:
        return run_cli(self.folder, self.cache_dir, *words, **self._environment() | environment)

    @contextlib.contextmanager
    def started(self, *words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """The same, while it runs; it is killed in the end."""
        with started(self.folder, self.cache_dir, *words, **self._environment() | environment) as process:
            yield process

    def interrupted(self, process: subprocess.Popen[str], number: signal.Signals = signal.SIGINT) -> Command:
        """Send a signal, and wait for the end."""
        process.send_signal(number)
        return self.ended(process)

    @staticmethod
    def ended(process: subprocess.Popen[str]) -> Command:
        out, err = process.communicate(timeout=60)
        return Command(process.returncode, out, err)

    def sweep(self, op: str) -> Path:
        """Folder of the newest sweep of an op."""
        return max((self.folder / "multirun" / op).iterdir(), key=lambda path: path.stat().st_mtime_ns)

    def logs(self, op: str) -> list[str]:
        """What the jobs of the newest sweep have said so far."""
        with contextlib.suppress(OSError, ValueError):
            return [path.read_text() for path in sorted(self.sweep(op).glob("*/status/stdout.log"))]
        return []

    def result(self, op: str, number: int) -> dict[str, Any]:
        """``result.json`` of a job of the newest sweep."""
        found: dict[str, Any] = json.loads((self.sweep(op) / str(number) / "result.json").read_text())
        return found

    def _environment(self) -> dict[str, str]:
        return self.modal.environment | {"PYTHONPATH": str(self.folder / "lib")}


@contextlib.contextmanager
def site(folder: Path, cache_dir: Path, **settings: Any) -> Iterator[Site]:
    """A site in ``folder``; ``settings`` are those of the server."""
    home = folder / "home"
    for path in (home / "lib" / "trouble", home / "own" / "engine"):
        path.mkdir(parents=True)
    shutil.copyfile(Path(__file__).with_name("trouble.py"), home / "lib" / "trouble" / "__init__.py")
    (home / "lib" / "trouble" / "more.yaml").write_text("a package is more than its Python files")
    (home / "own" / "engine" / "trouble.yaml").write_text(_ENGINE)
    with ModalServer(folder / "modal", **settings) as modal:
        yield Site(home, cache_dir, modal)
