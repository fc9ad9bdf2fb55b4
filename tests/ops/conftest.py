# SPDX-License-Identifier: Apache-2.0
"""Whole commands in this process: a tenth of the time that a process of their own takes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fvhydra import cli
from tests.conftest import Cli, Command, clean_environment


@pytest.fixture
def command(
    tmp_path: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Cli:
    """Run a command as ``cli`` does, in the same empty folder with the same store, without a process for it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)  # how pytest ends is its own
    for name, value in clean_environment(tmp_path, cache_dir).items():
        monkeypatch.setenv(name, value)

    def run(*words: str, **environment: str) -> Command:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["fvhydra"])
        capsys.readouterr()
        code = cli.run(words)
        shown = capsys.readouterr()
        return Command(code, shown.out, shown.err)

    return run
