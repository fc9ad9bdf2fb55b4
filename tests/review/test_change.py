# SPDX-License-Identifier: Apache-2.0
"""A change is read from its run folder only when it is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from fvhydra.core import files
from fvhydra.core.errors import UsageError
from fvhydra.core.run import RunFolder
from fvhydra.review import change

CHANGE = change.Change(
    kind="seed",
    title="Seed one",
    reason="first",
    store="store",
    parent="r0",
    changes=[change.ChangeFile("a/b.pt", "artifacts/b.pt", "00")],
    copies=[change.ChangeCopy("a/c.pt", "a/d.pt")],
)


def test_a_change_round_trips(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    change.save_change(run, CHANGE)
    assert change.load_change(run) == CHANGE


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([], "is not a change of this version"),
        ({"schema_version": 1}, "is not a change of this version: kind is"),
        ({**files.plain(CHANGE), "extra": 1}, "is not a change of this version: extra is 1"),
        ({**files.plain(CHANGE), "changes": [{"path": "a"}]}, "changes.0.file"),
        ({**files.plain(CHANGE), "copies": [{"path": "a", "source": "b", "x": 1}]}, "copies.0.x"),
        ({**files.plain(CHANGE), "kind": "delete"}, "its kind is 'delete'"),
        ({**files.plain(CHANGE), "schema_version": 2}, "has schema version 2, this fvhydra reads 1"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, content: object, says: str) -> None:
    files.write_json(tmp_path / "change.json", content)
    with pytest.raises(UsageError, match=says):
        change.load_change(RunFolder(tmp_path))
