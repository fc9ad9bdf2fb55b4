# SPDX-License-Identifier: Apache-2.0
"""The facts that explain why numbers moved."""

from __future__ import annotations

import os
import platform
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import fvhydra
from fvhydra.core import environment as facts


@pytest.fixture(autouse=True)
def no_cache() -> Iterator[None]:
    """What is looked at once in a process is looked at once in a test."""
    for cached in (facts._installed, facts._git_state_at_first):
        cached.cache_clear()
    yield
    for cached in (facts._installed, facts._git_state_at_first):
        cached.cache_clear()


def _git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    return subprocess.run(["git", "-C", folder, *identity, *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    _git(tmp_path, "init", "--quiet")
    (tmp_path / "a.txt").write_text("1")
    _git(tmp_path, "add", "a.txt")
    _git(tmp_path, "commit", "--quiet", "--message", "first")
    return tmp_path


def test_this_process_is_described_in_strings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(facts.FACTS_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    found = facts.environment()
    assert found["fvhydra"] == fvhydra.__version__ and found["python"] == platform.python_version()
    assert found["platform"] == platform.platform() and found["machine"] == platform.machine()
    assert found["host"] == socket.gethostname() and found["cpu"]
    for package in ("torch", "diffusers", "transformers", "accelerate", "numpy", "av", "opencv-python-headless"):
        assert found[package] == metadata.version(package)
    assert "fastvideo" not in found and "git_commit" not in found
    assert all(isinstance(value, str) for value in found.values())


def test_what_the_launcher_told_is_first_and_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(facts.FACTS_VARIABLE, '{"launcher.job": "7", "host": "node3"}')
    found = facts.environment()
    assert next(iter(found)) == "launcher.job" and found["launcher.job"] == "7" and found["host"] == "node3"


def test_a_package_that_is_not_installed_has_no_version() -> None:
    assert facts.package_version("numpy") == metadata.version("numpy")
    assert facts.package_version("fvhydra-absent") is None


def test_a_commit_and_whether_files_differ_from_it(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    commit = _git(repository, "rev-parse", "HEAD").strip()
    (repository / "untracked").write_text("x")
    assert facts.git_state_of(repository) == {"git_commit": commit, "git_dirty": "no"}
    (repository / "a.txt").write_text("2")
    assert facts.git_state_of(repository) == {"git_commit": commit, "git_dirty": "yes"}
    assert facts.git_state_of(tmp_path_factory.mktemp("outside")) == {}


def test_the_commit_is_that_of_when_the_process_began(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    before = facts.git_state()
    assert before == facts.git_state_of(repository)
    (repository / "a.txt").write_text("2")
    before["git_commit"] = "changed by the caller"
    assert facts.git_state()["git_dirty"] == "no" and facts.git_state()["git_commit"] != before["git_commit"]


def test_without_git_nothing_is_known(monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert facts.git_state_of(repository) == {}


def test_a_command_that_hangs_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def hangs(command: object, **named: Any) -> None:
        given.update(named)
        raise subprocess.TimeoutExpired("git", 10)

    monkeypatch.setattr(subprocess, "run", hangs)
    assert facts.git_state_of(Path()) == {}
    assert given["timeout"] == 10


def test_the_time_is_utc_in_whole_seconds() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", facts.now())
    assert before <= datetime.fromisoformat(facts.now()) <= datetime.now(UTC)


def _torch(available: bool, names: list[str]) -> SimpleNamespace:
    cuda = SimpleNamespace(
        is_available=lambda: available, get_device_name=names.__getitem__, device_count=lambda: len(names)
    )
    matmul, cudnn = SimpleNamespace(allow_tf32=False), SimpleNamespace(allow_tf32=True, version=lambda: 91002)
    backends = SimpleNamespace(cuda=SimpleNamespace(matmul=matmul), cudnn=cudnn)
    return SimpleNamespace(cuda=cuda, version=SimpleNamespace(cuda="13.0"), backends=backends)


def test_gpus_are_told_of_to_who_uses_them_once_torch_is_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    script = tmp_path / "nvidia-smi"
    asked = "--query-gpu=driver_version --format=csv,noheader"
    script.write_text(f'#!/bin/sh\n[ "$*" = "{asked}" ] || exit 9\necho 590.1\necho 590.2\n')
    script.chmod(0o755)
    monkeypatch.setitem(sys.modules, "torch", _torch(True, ["H100", "H200"]))
    expected = {"gpu": "H100, H200", "cuda": "13.0", "cudnn": "91002", "driver": "590.1", "tf32": "cudnn"}
    assert facts.gpu_state() == expected and tuple(expected) == facts.GPU_FACTS
    assert not expected.keys() & facts.environment().keys()  # a run on the CPU has nothing of them
    script.unlink()
    assert facts.gpu_state()["driver"] == "unknown"
    for torch in (_torch(False, []), None):
        monkeypatch.setitem(sys.modules, "torch", torch)
        assert facts.gpu_state() == {}


@pytest.mark.parametrize(
    ("lines", "cpu"),
    [("processor : 0\nmodel name\t: Xeon: 8480+ \nmodel name\t: other\n", "Xeon: 8480+"), ("processor : 0\n", None)],
)
def test_the_cpu_is_the_one_that_the_kernel_names(
    lines: str, cpu: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cpuinfo").write_text(lines)
    real = open

    def opened(path: Any, *rest: Any, **named: Any) -> Any:
        return real(tmp_path / "cpuinfo" if path == "/proc/cpuinfo" else path, *rest, **named)

    monkeypatch.setattr("builtins.open", opened)
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert facts.environment()["cpu"] == (cpu or "unknown")


def test_a_system_without_cpuinfo_has_what_python_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr("builtins.open", nothing)
    monkeypatch.setattr(platform, "processor", lambda: "arm")
    assert facts._cpu_model() == "arm"
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert facts._cpu_model() == "unknown"
