# SPDX-License-Identifier: Apache-2.0
"""A sweep's folder is one command's, and what a stranger put there takes nothing elsewhere."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from fvhydra.core.errors import UsageError
from fvhydra.launch.lock import locked


def test_a_folder_is_held_by_one(tmp_path: Path) -> None:
    with locked(tmp_path / "sweep"):
        says = rf"in use by another fvhydra \(process {os.getpid()} on "
        with pytest.raises(UsageError, match=says), locked(tmp_path / "sweep"):
            pass
        (tmp_path / "sweep" / "0").mkdir()
    with locked(tmp_path / "sweep"):
        pass
    assert (tmp_path / "sweep" / "0").is_dir()


def test_what_nothing_came_into_is_gone_with_its_parents(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with locked(tmp_path / "there" / "multirun" / "generate" / "sweep"):
        pass
    assert list(tmp_path.rglob("*")) == [tmp_path / "there"]


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_a_lock_that_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "mine").write_text("precious")
    (tmp_path / "sweep").mkdir()
    lock = tmp_path / "sweep" / ".lock"
    {"link": lambda: lock.symlink_to(tmp_path / "mine"), "fifo": lambda: os.mkfifo(lock), "folder": lock.mkdir}[kind]()
    with pytest.raises(UsageError, match=r"sweep|\.lock"), locked(tmp_path / "sweep"):
        pass
    assert (tmp_path / "mine").read_text() == "precious"


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(UsageError, match=r"File too large while writing .*\.lock"), locked(tmp_path / "sweep"):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []
