# SPDX-License-Identifier: Apache-2.0
"""Profiles of this machine, and how its GPUs are joined."""

from __future__ import annotations

import platform
import stat
from pathlib import Path

import pytest
import torch

from fvhydra.performance.profiles import (
    hardware_profile_here,
    hardware_profile_id,
    interconnect,
    software_profile_here,
)

TOPOLOGY = """\
\t\x1b[4mGPU0\tGPU1\tGPU2\tCPU Affinity\x1b[0m
GPU0\t X \t{ab}\tSYS\t0-7
GPU1\t{ab}\t X \tSYS\t0-7
GPU2\tSYS\tSYS\t X \t8-15

Legend:
  X    = Self
"""


def test_work_on_the_cpu_has_the_profile_of_no_gpu() -> None:
    profile = hardware_profile_here(0)
    assert profile == {"device_type": "cpu", "gpu_count": 0, "gpus": [], "interconnect": "none"}
    assert hardware_profile_id(profile) == "hw-539d23b7a2e65115"


def test_software_is_what_is_installed() -> None:
    profile = software_profile_here()
    assert profile["python"] == ".".join(platform.python_version_tuple()[:2])
    assert profile["pytorch"] == ".".join(torch.__version__.split(".")[:2])
    assert profile["cuda"] == (torch.version.cuda and ".".join(torch.version.cuda.split(".")[:2]))
    assert all(profile["packages"].values())


@pytest.mark.parametrize(
    ("link", "gpus", "expected"),
    [
        ("NV18", 2, "full_nvlink"),
        ("NV18", 3, "none_or_partial"),
        ("SYS", 2, "none_or_partial"),
        ("NV18", 4, "unknown"),
        ("NV18", 1, "single_gpu"),
    ],
)
def test_how_gpus_are_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: str, gpus: int, expected: str
) -> None:
    program = tmp_path / "nvidia-smi"
    (tmp_path / "topology").write_text(TOPOLOGY.format(ab=link))
    program.write_text(f'#!/bin/sh\n[ "$*" = "topo -m" ] && cat {tmp_path}/topology\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert interconnect(gpus) == expected


def test_without_the_tool_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (interconnect(1), interconnect(2)) == ("single_gpu", "unknown")
