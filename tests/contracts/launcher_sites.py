# SPDX-License-Identifier: Apache-2.0
"""Where the contract of launchers is tested: a folder with an engine that does as it is told, and a way to run."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import Command, run_cli

CONTRARY = """
import sys
from fvhydra.engines.mock import MockEngine

class Contrary(MockEngine):
    def generate(self, case, progress):
        how = self.config.options.get("how")
        if how == "raise":
            raise RuntimeError("the kernel is broken")
        if how == "exit":
            sys.exit(7)
        return super().generate(case, progress)
"""

SWEEP = ("-m", "engine=mock", "engine._target_=contrary.Contrary", "model=wan22_ti2v_5b")
"""Jobs that take no time; ``+engine.options.how=`` says how they end: none, raise or exit."""


@dataclass(frozen=True)
class Site:
    """A launcher that is ready.

    Attributes:
        name: The word after ``launcher=``.
        folder: Where commands run.
        execute: Runs a command there, given its words.
        words: What else this launcher has to be told.
    """

    name: str
    folder: Path
    execute: Callable[..., Command]
    words: tuple[str, ...] = ()

    def run(self, *words: str, **environment: str) -> Command:
        return self.execute(*SWEEP, f"launcher={self.name}", *self.words, *words, **environment)


def own_machine(name: str, folder: Path, cache_dir: Path) -> Site:
    """The site of a launcher that needs nothing but this machine."""
    return Site(name, prepared(folder), functools.partial(run_cli, folder, cache_dir))


def prepared(folder: Path) -> Path:
    """``folder`` with the engine in it."""
    (folder / "contrary.py").write_text(CONTRARY)
    return folder


def read(folder: Path, name: str) -> dict[str, Any]:
    """A JSON file of a job's folder."""
    return dict(json.loads((folder / name).read_text(encoding="utf-8")))
