# SPDX-License-Identifier: Apache-2.0
"""``scripts/setup_linux.sh``: what it refuses, and that it names what the documents name. That it sets a machine up was
tried by hand: it needs a network."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

SCRIPT = ROOT / "scripts" / "setup_linux.sh"


def _run(*words: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": path or os.environ["PATH"]}
    return subprocess.run(
        ["/bin/bash", SCRIPT, *words], env=environment, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [(["--nope"], "--nope is not known"), (["--venv"], "--venv needs a value"), (["--cache", ""], "--cache")],
)
def test_wrong_words(words: list[str], says: str) -> None:
    done = _run(*words)
    assert done.returncode == 2 and says in done.stderr and done.stdout == ""


def test_no_python_that_is_new_enough(tmp_path: Path) -> None:
    for name in ("bash", "dirname", "sed", "env"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    old = tmp_path / "python3"
    old.write_text("#!/bin/bash\nexit 1\n")
    old.chmod(0o755)
    done = _run("--venv", str(tmp_path / "venv"), path=str(tmp_path))
    assert done.returncode == 2 and "No Python 3.11 or newer" in done.stderr and not (tmp_path / "venv").exists()


def test_what_it_takes_is_what_help_and_documents_say() -> None:
    said = _run("--help")
    assert said.returncode == 0
    taken = set(re.findall(r"--[a-z]+", re.sub(r"#.*", "", SCRIPT.read_text(encoding="utf-8"))))
    described = set(re.findall(r"^  (--[a-z]+)", said.stdout, re.M))
    assert described == {"--venv", "--extras", "--cache", "--cpu", "--prefetch", "--constraints"} and described <= taken
    page = (ROOT / "docs" / "rented_gpu.md").read_text(encoding="utf-8")
    assert set(re.findall(r"setup_linux\.sh (--[a-z]+)", page)) <= described


def test_the_two_scripts_install_the_same() -> None:
    windows = (ROOT / "scripts" / "setup_windows.ps1").read_text(encoding="utf-8")
    [there] = re.findall(r'\$Extras = "([^"]+)"', windows)
    assert f"extras={there} " in SCRIPT.read_text(encoding="utf-8")
