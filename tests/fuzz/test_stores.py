# SPDX-License-Identifier: Apache-2.0
"""Misfortunes of stores: a few on every run, a thousand with the slow tests, and a store that is wrong is caught."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fvhydra.stores.local import disk, history, objects
from fvhydra.stores.local.store import LocalStore
from tests.fuzz import page, stores
from tests.fuzz.rows import Row, table


def _whole(rows: list[Row], count: int) -> None:
    assert len(rows) == 9 and sum(row.number for row in rows) >= count * 0.95
    assert all(row.outcome.startswith("0 lost, 0 doubled, 0 half-written; ") for row in rows)


def test_a_few_misfortunes_leave_no_trace() -> None:
    _whole(stores.run(seed=1, count=25), 25)


@pytest.mark.slow
def test_a_thousand_misfortunes_leave_no_trace(capsys: pytest.CaptureFixture[str]) -> None:
    rows = stores.run(page.SEED, page.MISFORTUNES)
    _whole(rows, 1000)
    assert page.counted(page.shown(rows)) == page.counted(page.written("stores")), "make fuzz renews the page"
    with capsys.disabled():
        print(f"\n{table(rows)}")


def _never_twice(patch: pytest.MonkeyPatch) -> None:
    """Forgets that an operation was done already: doubled."""
    patch.setattr(LocalStore, "_landed", lambda *_: None)


def _overwrites(patch: pytest.MonkeyPatch) -> None:
    """Takes a number although it is taken: lost."""

    def replace(file: Path, name: Path) -> bool:
        os.replace(file, name)
        return True

    patch.setattr(history, "link_once", replace)


def _writes_in_place(patch: pytest.MonkeyPatch) -> None:
    """Gives a file its name before it is written: half-written."""
    put = objects.Objects._put

    def early(self: objects.Objects, content: bytes) -> objects.Blob:
        blob = put(self, content)
        path = self.path(blob)
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data[: len(data) // 2])
        with disk.scratch_file(path.parent) as scratch:
            scratch.write_bytes(data)
            scratch.replace(path)
        return blob

    patch.setattr(objects.Objects, "_put", early)


@pytest.mark.parametrize(
    ("wrong", "trial"),
    [
        (_never_twice, stores._failing_call),
        (_overwrites, stores._race),
        (_writes_in_place, stores._failing_call),
    ],
)
def test_a_store_that_is_wrong_is_caught(
    wrong: Callable[[pytest.MonkeyPatch], None], trial: stores.Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import random

    wrong(monkeypatch)
    with pytest.raises(AssertionError, match="number"):
        stores._tried("a wrong store", trial, 200, random.Random(1), tmp_path)
