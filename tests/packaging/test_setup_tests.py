# SPDX-License-Identifier: Apache-2.0
"""What ``make test`` installs before it begins, on machines that have only what each test gives them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, Command

SCRIPT = str(ROOT / "scripts" / "setup_tests.sh")
BROWSER, PLAIN = "tests/report/test_browser.py", "tests/core/test_case.py"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """The only folder of programs beside that of the system's daemons: it has no browser and no package manager."""
    for name in ("bash", "dirname", "echo", "env", "git", "grep", "sed", "xargs"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    install(tmp_path, "pytest-asks-for-a-browser", "echo needs: browser")
    return tmp_path


def setup(programs: Path, *words: str) -> Command:
    environment = {"PATH": str(programs), "HOME": str(programs), "PYTEST_ADDOPTS": "-p no:cacheprovider"}
    done = subprocess.run(
        [SCRIPT, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    return Command(done.returncode, done.stdout, done.stderr)


def install(programs: Path, name: str, program: str = "") -> None:
    (programs / name).write_text(f"#!/usr/bin/env bash\n{program}\n")
    (programs / name).chmod(0o755)


def test_what_is_there_is_not_spoken_of() -> None:
    begin = time.perf_counter()
    done = subprocess.run([SCRIPT, "venv", sys.executable], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.perf_counter() - begin < 1  # 0.05 s


def test_only_what_the_chosen_tests_need_is_asked_for(programs: Path) -> None:
    install(programs, "apt-get", "exit 1")
    assert setup(programs, "tests", sys.executable, PLAIN) == Command(0, "", "")
    assert setup(programs, "tests", sys.executable, "-m", "not browser", BROWSER, PLAIN) == Command(0, "", "")


def test_it_says_what_it_installs_before_it_does(programs: Path) -> None:
    install(programs, "apt-get", 'echo "$@" >>"$(dirname "$0")/asked"')
    command = setup(programs, "tests", "pytest-asks-for-a-browser")
    assert command.code == 0, command.text
    assert command.out.splitlines() == [
        "This machine lacks what is needed for: browser",
        "Installing with apt-get: chromium libatomic1",
    ]
    assert (programs / "asked").read_text().splitlines() == [
        "update -qq",
        "install -y -qq --no-install-recommends chromium libatomic1",
    ]


def test_an_installation_that_fails_leaves_the_command(programs: Path) -> None:
    install(programs, "apt-get", "exit 100")
    command = setup(programs, "tests", "pytest-asks-for-a-browser")
    assert command.code == 2
    assert "make again:  apt-get install --no-install-recommends chromium libatomic1" in command.err
    assert "make test ARGS=\"-m 'not browser'\"" in command.err


@pytest.mark.parametrize(
    ("manager", "said"),
    [
        ("brew", "brew install --cask chromium"),
        ("dnf", "dnf install chromium libatomic"),
        ("none", "needed for: browser"),
    ],
)
def test_elsewhere_a_person_installs_it(manager: str, said: str, programs: Path) -> None:
    install(programs, manager, "exit 1")
    command = setup(programs, "tests", "pytest-asks-for-a-browser")
    assert command.code == 2
    assert said in command.text


def test_arguments_that_pytest_refuses_are_said_once_and_nothing_is_installed(programs: Path) -> None:
    install(programs, "apt-get", "exit 1")
    command = setup(programs, "tests", sys.executable, "tests/nowhere.py")
    assert command.code == 4
    assert "tests/nowhere.py" in command.err


def test_without_a_task_it_says_what_it_is_for() -> None:
    done = subprocess.run([SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "scripts/setup_tests.sh tests PYTHON" in done.stderr
