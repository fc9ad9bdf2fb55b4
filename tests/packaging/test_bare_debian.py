# SPDX-License-Identifier: Apache-2.0
"""``make demo`` and ``make test`` on a Debian that has Python and make, and nothing else.

Each test goes on where the one before it ended.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Command
from tests.packaging.bare_debian import BareDebian

pytestmark = pytest.mark.slow

FEW = " ".join(
    [
        "tests/core/test_case.py",
        "tests/report/test_browser.py::test_the_keyboard_drives_the_case_in_sight",
        "tests/launch/slurm/test_queue.py::test_how_jobs_are",
        "tests/ops/test_watch.py::test_what_the_ssh_config_says",
    ]
)
"""Some that need nothing, one that needs a browser, one that needs a cluster, one that needs an SSH server."""

SUDO = "apt-get update -qq && apt-get install -y -qq sudo && echo 'dev ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/dev"


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BareDebian]:
    with BareDebian(tmp_path_factory.mktemp("debian") / "root") as machine:
        yield machine


def test_who_may_install_nothing_is_told_the_command(debian: BareDebian) -> None:
    command = debian.run("make demo", 60)
    assert command.code == 2, command.text
    assert "  sudo apt-get install --no-install-recommends python3.11-venv" in command.err


def test_the_demo(debian: BareDebian) -> None:
    assert debian.run(SUDO, 300, user="root").code == 0
    command = debian.run("make demo", 1500)
    assert command.code == 0, command.text
    assert "Installing with sudo apt-get: python3.11-venv" in command.out
    assert "check_ssim ltx2: pass" in command.out


def test_the_tests(debian: BareDebian) -> None:
    command = debian.run(f"make test ARGS='{FEW}'", 1500)
    assert command.code == 0, command.text
    assert "Installing with sudo apt-get: git chromium libatomic1 slurm-wlm " in command.out
    assert " openssh-server openssh-client\n" in command.out
    assert debian.run("scripts/setup_tests.sh tests .venv/bin/python --without-slow", 60) == Command(0, "", "")
