# SPDX-License-Identifier: Apache-2.0
"""Where one input is tried: a folder to work in, one beside it that nothing may touch, and what counts as broken."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from fvhydra.testing.command_line import Command, clean_environment
from fvhydra.testing.command_server import CommandServer

HANG_S = 60.0
"""A command that takes longer hangs. It is 10 s on an idle machine; the suites share theirs."""

REFUSED, NAMED, DAMAGE = "refused before anything ran (exit 2)", "read as far as it goes", "told as damage (exit 4)"

_RAW = re.compile(
    r"Traceback \(most recent|The traceback is in|error\.log|"
    r"^error: \w+(Error|Exception): |: infrastructure +\w+Error: ",
    re.MULTILINE,
)


@dataclass
class Place:
    """One folder for one input.

    Attributes:
        root: Holds ``work``, where the command runs, and ``outside`` and ``home``, which it has no business in.
        cache: For tiny weights and the like.
        server: Forks the commands.
    """

    root: Path
    cache: Path
    server: CommandServer

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def outside(self) -> Path:
        return self.root / "outside"

    def make(self, template: Path | None = None) -> None:
        """Begin anew, with a copy of what a template has."""
        shutil.rmtree(self.root, ignore_errors=True)
        if template is None:
            self.work.mkdir(parents=True)
        else:
            shutil.copytree(template, self.work, symlinks=True)
        for name in ("outside", "home"):
            (self.root / name).mkdir()
            (self.root / name / "canary").write_text("untouched")

    def run(self, words: Sequence[str], **environment: str) -> Command:
        """Run a command there.

        Raises:
            subprocess.TimeoutExpired: It hangs.
        """
        own = {"HOME": str(self.root / "home"), "FVHYDRA_CACHE": str(self.cache), "HF_ENDPOINT": "http://127.0.0.1:9"}
        given = clean_environment(self.work, self.cache) | own | environment
        with TemporaryFile() as keys, TemporaryFile() as out, TemporaryFile() as err:
            code = self.server.run(words, self.work, given, (keys, out, err), HANG_S)
            return Command(code, _text(out), _text(err))

    def listing(self) -> set[str]:
        """Everything there is in the folder to work in."""
        return {path.relative_to(self.work).as_posix() for path in self.work.rglob("*")}

    def tried(self, words: Sequence[str], theirs: Sequence[str] = (), **environment: str) -> str:
        """Run a command on what a stranger left here, and say what came of it.

        Args:
            words: The command.
            theirs: Names of the stranger's own folders, in which records may be written.

        Raises:
            AssertionError: It hangs, ends in no way of ours, shows a traceback, or writes where it must not.
        """
        before = self.listing()
        try:
            done = self.run(words, **environment)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"{list(words)} hangs") from error
        told = f"{list(words)} -> {done.code}\n{done.text[-3000:]}"
        assert done.code in (0, 1, 2, 3, 4, 5), told
        assert not _RAW.search(done.text), told
        for name in ("outside", "home"):
            found = {path.name: path.read_text() for path in (self.root / name).iterdir() if path.is_file()}
            assert found == {"canary": "untouched"}, f"{name} was touched: {found}\n{told}"
        fresh = {path for path in self.listing() - before if not path.startswith(tuple(f"{name}/" for name in theirs))}
        allowed = ("outputs", "multirun", "store")
        assert not [path for path in fresh if path.split("/")[0] not in allowed], f"left {sorted(fresh)[:5]}\n{told}"
        if done.code == 2:
            assert not fresh, f"exit 2, and yet there is {sorted(fresh)[:5]}\n{told}"
            return REFUSED
        return DAMAGE if done.code == 4 else NAMED


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode(errors="replace")
