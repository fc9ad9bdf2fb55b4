# SPDX-License-Identifier: Apache-2.0
"""Processes that keep out of each other's way."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from fvhydra.core.errors import UsageError
from fvhydra.core.lock import alone_with


def _count(path: Path, times: int) -> None:
    for _ in range(times):
        with alone_with(path):
            path.write_text(str(int(path.read_text()) + 1))


def test_no_turn_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "count"
    path.write_text("0")
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=_count, args=(path, 100)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert path.read_text() == "400"
    assert [each.name for each in tmp_path.iterdir()] == ["count"]


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    (tmp_path / ".count.lock").symlink_to(tmp_path / "target")
    with pytest.raises(UsageError, match="Cannot write"), alone_with(tmp_path / "count"):
        pass
    assert (tmp_path / "target").read_text() == "mine"
