# SPDX-License-Identifier: Apache-2.0
"""Running commands as a person does, in a folder and with an environment of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


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
    """Run ``python -m fvhydra`` in ``folder``, with the store ``folder/store``."""
    done = subprocess.run(
        [sys.executable, "-m", "fvhydra", *words],
        cwd=folder,
        env=clean_environment(folder, cache_dir) | environment,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        preexec_fn=preexec,
        check=False,
    )
    return Command(done.returncode, done.stdout, done.stderr)


def clean_environment(folder: Path, cache_dir: Path) -> dict[str, str]:
    """The environment of a test's commands: nothing of the person's own store, tokens or colours."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FVHYDRA", "HF_", "HUGGINGFACE"))}
    own = {"FVHYDRA_STORE": str(folder / "store"), "FVHYDRA_CACHE": str(cache_dir), "NO_COLOR": "1", "COLUMNS": "200"}
    return kept | own | {"HF_HOME": str(folder / "hf"), "PYTHONWARNINGS": "ignore"}
