# SPDX-License-Identifier: Apache-2.0
"""A change is read from its run folder only when it is one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from fvhydra.config.store import LocalStoreConfig
from fvhydra.core import files
from fvhydra.core.errors import UsageError
from fvhydra.core.run import RunFolder
from fvhydra.review import change
from fvhydra.stores.local import LocalStore

PLACE = "reference_videos/smoke/CPU_reference_videos/model/SDPA"
DRAFT = "drafts/smoke/CPU_reference_videos/model/SDPA"


def _file(path: str, replaces: str | None = None) -> dict[str, Any]:
    return {"path": path, "file": "artifacts/b.pt", "sha256": "00", "replaces": replaces}


RECORD = "wan-t2v-1.3b-2gpu/2026-05-03T10_11_12Z_abc_reseed_01.json"
CHANGE = change.Change(
    kind="seed",
    title="Seed one",
    reason="first",
    store="store",
    parent="r0",
    changes=[change.ChangeFile(f"{PLACE}/b.pt", "artifacts/b.pt", "00")],
)


def test_a_change_round_trips(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    change.save_change(run, CHANGE)
    assert change.load_change(run) == CHANGE


def test_a_folder_without_a_change_is_said_with_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        change.load_change(RunFolder(tmp_path))
    assert refused.value.message == f"{tmp_path} holds no prepared change."
    assert refused.value.hint == "Give the folder of the run that prepared it."


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([], "is not a change of this version"),
        ({"schema_version": 1}, "is not a change of this version: kind is"),
        ({**files.plain(CHANGE), "extra": 1}, "is not a change of this version: extra is 1"),
        ({**files.plain(CHANGE), "changes": [{"path": "a"}]}, "changes.0.file"),
        ({**files.plain(CHANGE), "copies": [{"path": "a", "source": "b", "x": 1}]}, "copies.0.x"),
        ({**files.plain(CHANGE), "kind": "remove"}, "its kind is 'remove'"),
        ({**files.plain(CHANGE), "schema_version": 2}, "has schema version 2, this fvhydra reads 1"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, content: object, says: str) -> None:
    files.write_json(tmp_path / "change.json", content)
    with pytest.raises(UsageError, match=f"change.json .*{says}") as refused:
        change.load_change(RunFolder(tmp_path))
    assert refused.value.hint == ("" if "schema version" in says else "Prepare the change again.")


@pytest.mark.parametrize(
    ("kind", "parts", "says"),
    [
        ("seed", {"changes": [_file(f"{PLACE}/b.pt", "sha256:0")]}, "replaces nothing"),
        ("seed", {"deletes": [f"{PLACE}/c.pt"]}, "deletes nothing"),
        ("seed", {"copies": [{"path": f"{PLACE}/c.pt", "source": f"{DRAFT}/c.pt"}]}, "copies nothing"),
        ("seed", {"changes": [_file("../../pwned")]}, "is not a store path"),
        ("seed", {"changes": [_file("README.md")]}, "no place of a reference"),
        ("seed", {"changes": [_file(f"{PLACE}/b.pt"), _file(f"{PLACE}/b.pt")]}, "twice"),
        ("draft", {}, "writes below drafts/ only"),
        ("draft", {"changes": [_file(f"{DRAFT}/b.pt", "sha256:0")]}, "replaces nothing"),
        ("draft", {"changes": [_file(f"{DRAFT}/../../x")]}, "is not a store path"),
        ("reseed", {}, "adds nothing of its own"),
        ("reseed", {"changes": [_file(f"{PLACE}/b.pt", "x"), _file(f"{PLACE}/c.pt.json")]}, "adds nothing of its own"),
        ("reseed", {"changes": [_file(f"{PLACE}/b.pt", "x")], "deletes": [f"{PLACE}/c.pt"]}, "deletes nothing"),
        ("restore", {"deletes": [f"{PLACE}/c.pt"]}, "deletes nothing"),
        ("reseed_perf", {}, "no place of a performance record"),
        ("reseed_perf", {"changes": [_file(f"{RECORD}.exe")]}, "no place of a performance record"),
        ("reseed_perf", {"changes": [_file("journal/0.json")]}, "no place of a performance record"),
        ("reseed_perf", {"changes": [_file(RECORD, "sha256:0")]}, "replaces nothing"),
        ("seed_perf", {"changes": [_file(RECORD)], "deletes": ["wan/1_abc.json"]}, "deletes nothing"),
        ("supersede_perf", {"changes": [_file(RECORD)], "deletes": ["wan/1_abc.json"]}, "adds nothing of its own"),
        ("seed", {"changes": [_file(RECORD)]}, "no place of a reference"),
        ("restore", {"changes": [_file("wan/deep/er.json")]}, "no place of a reference or a performance record"),
        ("promote", {"changes": [_file(f"{PLACE}/b.pt")]}, "adds nothing of its own"),
        (
            "promote",
            {"changes": [], "copies": [{"path": f"{PLACE}/c.pt", "source": f"{DRAFT}/other.pt"}]},
            "adds nothing of its own",
        ),
        (
            "promote",
            {
                "changes": [],
                "copies": [{"path": f"{PLACE}/c.pt", "source": f"{DRAFT}/c.pt"}],
                "deletes": [f"{DRAFT}/c.pt", f"{PLACE}/d.pt"],
            },
            "deletes nothing",
        ),
    ],
)
def test_a_change_that_does_more_than_its_kind_is_refused(
    tmp_path: Path, kind: str, parts: dict[str, Any], says: str
) -> None:
    files.write_json(tmp_path / "change.json", files.plain(CHANGE) | {"kind": kind} | parts)
    with pytest.raises(UsageError, match=f"change.json was tampered.*{says}"):
        change.load_change(RunFolder(tmp_path))


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        ("reseed", {"changes": [_file(f"{PLACE}/b.pt", "x"), _file(f"{PLACE}/b.pt.json")]}),
        ("draft", {"changes": [_file(f"{DRAFT}/b.pt")]}),
        ("reseed_perf", {"changes": [_file(RECORD)]}),
        ("supersede_perf", {"changes": [], "deletes": [RECORD]}),
        ("delete", {"changes": [], "deletes": [RECORD]}),
        ("delete", {"changes": [_file(f"{PLACE}/b.pt"), _file(f"{PLACE}/c.pt", "x")], "deletes": [f"{PLACE}/d.pt"]}),
        (
            "promote",
            {
                "changes": [],
                "copies": [{"path": f"{PLACE}/c.pt", "source": f"{DRAFT}/c.pt"}],
                "deletes": [f"{DRAFT}/c.pt"],
            },
        ),
    ],
)
def test_a_change_within_its_kind_is_read(tmp_path: Path, kind: str, parts: dict[str, Any]) -> None:
    files.write_json(tmp_path / "change.json", files.plain(CHANGE) | {"kind": kind} | parts)
    assert change.load_change(RunFolder(tmp_path)).kind == kind


def test_what_a_change_replaces_must_be_there(tmp_path: Path) -> None:
    run, store = RunFolder(tmp_path / "run"), LocalStore(LocalStoreConfig("", "local", path=str(tmp_path / "store")))
    (run.path / "artifacts").mkdir(parents=True)
    (run.path / "artifacts" / "b.pt").write_bytes(b"new")
    parent = store.commit({f"{PLACE}/b.pt": b"old"}, message="first")
    digest = store.files()[f"{PLACE}/b.pt"].digest
    for kind, replaces in (("reseed", "sha256:other"), ("restore", None), ("restore", "sha256:other")):
        item = change.ChangeFile(f"{PLACE}/b.pt", "artifacts/b.pt", files.sha256_bytes(b"new"), replaces)
        wrong = dataclasses.replace(CHANGE, kind=kind, changes=[item], store=store.location, parent=parent)
        with pytest.raises(UsageError, match=r"says that at .* it replaces"):
            change.apply_change(run, wrong, store, who="me")
    right = dataclasses.replace(wrong, changes=[dataclasses.replace(item, replaces=digest)])
    assert change.apply_change(run, right, store, who="me") == store.head() != parent
