# SPDX-License-Identifier: Apache-2.0
"""Which GPUs there are, known without torch."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fvhydra.core import gpus
from fvhydra.core.gpus import GpuDevice
from tests.gpus import H100, MIXED, SPLIT, path_with

NAMES = ["NVIDIA H100 80GB HBM3", "NVIDIA A40", "NVIDIA A40"]


@pytest.fixture(autouse=True)
def _no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        (None, ["0", "1", "2"]),
        ("2, 0", ["2", "0"]),
        ("GPU-22", ["1"]),
        ("1,7,0", ["1"]),  # CUDA hides what comes after one that is none
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
    ],
)
def test_the_visible_ones_are_those_that_cuda_will_see(
    given: str | None, ids: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", path_with(tmp_path, MIXED))
    if given is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    found = gpus.visible_gpus()
    assert found is not None and [device.id for device in found] == ids
    assert [device.name for device in found] == [NAMES[int(number)] for number in ids]


def test_of_a_gpu_that_is_split_its_slices_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", path_with(tmp_path, SPLIT))
    assert gpus.installed_gpus() == [
        GpuDevice("MIG-7", "NVIDIA A100-SXM4-40GB MIG 1g.5gb", "MIG-7"),
        GpuDevice("MIG-8", "NVIDIA A100-SXM4-40GB MIG 2g.10gb", "MIG-8"),
    ]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-8")
    assert [device.id for device in gpus.visible_gpus() or []] == ["MIG-8"]


@pytest.mark.parametrize(("sure", "found"), [(True, []), (False, None)])
def test_without_its_driver_only_the_devices_of_the_system_tell(
    sure: bool, found: list[GpuDevice] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(gpus, "surely_without_gpu", lambda: sure)
    assert gpus.installed_gpus() is None and gpus.visible_gpus() == found
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # which hides whatever there is
    assert gpus.visible_gpus() == []


def test_the_driver_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", path_with(tmp_path, H100))
    assert len(gpus.installed_gpus() or []) == 1
    (tmp_path / "driver" / "nvidia-smi").unlink()
    assert len(gpus.installed_gpus() or []) == 1


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("cuda: Optional[str] = None\nhip: Optional[str] = None\nrocm: Optional[str] = None\n", False),
        ("cuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n", True),
        ("cuda = None\nhip = '7.0'\n", True),
        ("__version__ = '2'\n", True),
        (None, True),
    ],
)
def test_what_torch_is_built_for_is_read_from_its_own_record(
    record: str | None, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise AssertionError('imported')")
    if record is not None:
        (tmp_path / "torch" / "version.py").write_text(record)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert gpus.torch_uses_gpus() is expected
