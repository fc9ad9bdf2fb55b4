# SPDX-License-Identifier: Apache-2.0
"""What every test stands on: the command line as a person has it, a cache that is built once, and two house rules."""

from __future__ import annotations

import fcntl
import functools
import gc
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fvhydra.testing.command_line import Command, clean_environment, run_cli

if TYPE_CHECKING:
    from tests.servers.slurm import Cluster
    from tests.servers.ssh import SshServer

ROOT = Path(__file__).resolve().parent.parent


Cli = Callable[..., Command]


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny weights, built once for all tests of a worker."""
    return tmp_path_factory.mktemp("cache")


def run_at_terminal(folder: Path, cache_dir: Path, words: Sequence[str], answers: Iterable[tuple[str, str]]) -> Command:
    """The same at a terminal: when a question is shown, its keys are typed. ``out`` is all that the screen showed."""
    screen, keyboard = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "fvhydra", *words],
        cwd=folder,
        env=clean_environment(folder, cache_dir) | {"TERM": "xterm"},
        stdin=keyboard,
        stdout=keyboard,
        stderr=keyboard,
        start_new_session=True,
        preexec_fn=_own_the_terminal,
    )
    os.close(keyboard)
    shown = ""
    for question, keys in answers:
        shown += _read_until(screen, question)
        os.write(screen, keys.encode())
    shown += _read_until(screen, None)
    os.close(screen)
    return Command(process.wait(30), shown, "")


def heed_ctrl_c() -> None:
    """For a child before it starts: a suite that runs in the background hands down that Ctrl-C is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _own_the_terminal() -> None:
    heed_ctrl_c()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that a typed Ctrl-C is a signal


def _read_until(screen: int, text: str | None) -> str:
    shown = b""
    while text is None or text.encode() not in shown:
        if not select.select([screen], [], [], 60)[0]:
            raise AssertionError(f"nothing was shown for 60 s, waiting for {text!r}:\n{shown.decode(errors='replace')}")
        try:
            data = os.read(screen, 4096)
        except OSError:  # the other side is closed
            break
        if not data:
            break
        shown += data
    return shown.decode(errors="replace")


@pytest.fixture
def cli(tmp_path: Path, cache_dir: Path) -> Cli:
    """Run ``python -m fvhydra`` in an empty folder with a store of its own."""
    return functools.partial(run_cli, tmp_path, cache_dir)


@pytest.fixture
def command(
    tmp_path: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Cli:
    """Run a command as ``cli`` does, in the same empty folder with the same store, without a process for it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)  # how pytest ends is its own
    for name, value in clean_environment(tmp_path, cache_dir).items():
        monkeypatch.setenv(name, value)

    from fvhydra.cli import run

    def run_here(*words: str, **environment: str) -> Command:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["fvhydra"])
        capsys.readouterr()
        code = run(words)
        shown = capsys.readouterr()
        return Command(code, shown.out, shown.err)

    return run_here


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A real Slurm cluster, which every command of the tests that use it speaks to."""
    from tests.servers.slurm import Cluster

    with Cluster(tmp_path_factory.mktemp("slurm")) as cluster, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(cluster.conf))
        yield cluster


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """A real SSH server on this machine."""
    from tests.servers.ssh import SshServer

    with SshServer(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture(autouse=True)
def _trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Classes of tests may be named in this process; what a command trusts ends with its test."""
    monkeypatch.setenv("FVHYDRA_TRUSTED_CLASSES", "tests")
    monkeypatch.setenv("FVHYDRA_TRUSTED_ENDPOINTS", "")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The suite must pass on an island."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = address[0] if isinstance(address, tuple) else ""
            if host not in ("127.0.0.1", "::1", "localhost"):
                raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)
    yield


_SYSTEM_NEEDS = {"browser", "debian", "slurm", "sshd"}
"""Markers that are also the words of ``scripts/setup_tests.sh``."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--without-slow", action="store_true", help="leave out slow tests, whatever -m chooses")
    parser.addoption("--needs", action="store_true", help="say what the chosen tests need of the system")


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs a program of the system; leave out slow tests; skip what needs a GPU where there is none."""
    for item in items:
        for need in _SYSTEM_NEEDS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(need)
    if config.getoption("--without-slow"):
        slow = [item for item in items if "slow" in item.keywords]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
    if any("gpu" in item.keywords for item in items):
        import torch

        if not torch.cuda.is_available():
            for item in items:
                if "gpu" in item.keywords:
                    item.add_marker(pytest.mark.skip(reason="needs an NVIDIA GPU"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """For ``scripts/setup_tests.sh``: a line for each program that the chosen tests cannot do without."""
    gc.freeze()  # what thousands of tests were collected into is no garbage; looking at it again and again took a tenth
    if session.config.getoption("--needs"):
        marked = {need for item in session.items for need in _SYSTEM_NEEDS.intersection(item.keywords)}
        print("", *(f"needs: {need}" for need in sorted({"git", *marked})), sep="\n")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A skipped test is not a pass."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.skipped and not hasattr(report, "wasxfail") and "gpu" not in item.keywords:
        report.outcome = "failed"
        report.longrepr = f"skipped, and only tests that need a GPU may be: {report.longrepr}"
