# SPDX-License-Identifier: Apache-2.0
"""Running commands as a person does, in a folder and with an environment of the test's own."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from fvhydra.testing.command_server import CommandServer


@dataclass(frozen=True)
class Command:
    """How one command ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


def run_cli(
    folder: Path,
    cache_dir: Path,
    *words: str,
    stdin: str | None = None,
    timeout_s: float = 180,
    preexec: Callable[[], None] | None = None,
    **environment: str,
) -> Command:
    """Run ``python -m fvhydra`` in ``folder``, with the store ``folder/store``.

    Args:
        folder: Where it runs.
        cache_dir: For tiny weights, so that they are built once.
        words: After the program's name.
        stdin: What is typed; nothing by default.
        timeout_s: When it is killed.
        preexec: Called in the new process before the program starts.
        environment: Variables beside those of :func:`clean_environment`.

    Raises:
        subprocess.TimeoutExpired: It took longer.
    """
    all_of_it = clean_environment(folder, cache_dir) | environment
    with TemporaryFile() as keys, TemporaryFile() as out, TemporaryFile() as err:
        keys.write((stdin or "").encode())
        keys.seek(0)
        if preexec is None:
            code = _server().run(words, folder, all_of_it, (keys, out, err), timeout_s)
        else:
            code = subprocess.run(
                [sys.executable, "-m", "fvhydra", *words],
                cwd=folder,
                env=all_of_it,
                stdin=keys,
                stdout=out,
                stderr=err,
                timeout=timeout_s,
                preexec_fn=preexec,
                check=False,
            ).returncode
        return Command(code, *(_text(stream) for stream in (out, err)))


def run_forked(folder: Path, environment: Mapping[str, str], *words: str, timeout_s: float = 180) -> Command:
    """Run ``fvhydra`` in ``folder`` with that environment and nothing else; ``out`` is all that it prints, in order.

    Raises:
        subprocess.TimeoutExpired: It took longer.
    """
    with open(os.devnull, "rb") as keys, TemporaryFile() as printed:
        code = _server().run(words, folder, environment, (keys, printed, printed), timeout_s)
        return Command(code, _text(printed), "")


@functools.cache
def _server() -> CommandServer:
    return CommandServer()


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode().replace("\r\n", "\n")


def clean_environment(folder: Path, cache_dir: Path) -> dict[str, str]:
    """The environment of a test's commands: nothing of the person's own store, tokens, colours or CI."""
    other = ("FVHYDRA", "HF_", "HUGGINGFACE")
    kept = {key: value for key, value in os.environ.items() if key != "CI" and not key.startswith(other)}
    own = {"FVHYDRA_STORE": str(folder / "store"), "FVHYDRA_CACHE": str(cache_dir), "NO_COLOR": "1", "COLUMNS": "200"}
    return kept | own | {"HF_HOME": str(folder / "hf"), "PYTHONWARNINGS": "ignore"}
