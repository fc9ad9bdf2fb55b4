# SPDX-License-Identifier: Apache-2.0
"""Folders that say they are stores, written by somebody who wants something else of us."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fvhydra.config.store import LocalStoreConfig
from fvhydra.core.errors import Corrupt, UsageError
from fvhydra.stores.local import LocalStore
from tests.conftest import Cli


def _store(root: Path) -> LocalStore:
    return LocalStore(LocalStoreConfig(_target_="", name="local", path=str(root)))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def forge(root: Path, tree: Any, touched: Any = (), tree_line: bytes | None = None, **changes: Any) -> None:
    """A first commit with all hashes right, whatever it says; objects are made for those of the tree."""
    line = json.dumps(tree).encode() if tree_line is None else tree_line
    commit = {
        "schema_version": 1,
        "number": 1,
        "parent": f"00000000-{_sha256(b'')[:16]}",
        "time": "2026-01-01T00:00:00.000+00:00",
        "message": "Seed",
        "paths": list(touched),
        "provenance": {"who": "a stranger"},
        "tree_sha256": _sha256(line),
    }
    second = json.dumps(commit | changes).encode()
    (root / "log").mkdir(parents=True, exist_ok=True)
    (root / "log" / "00000001.jsonl").write_bytes(
        b'"' + _sha256(second).encode() + b'"\n' + second + b"\n" + line + b"\n"
    )


def put(root: Path, data: bytes = b"pwned") -> list[Any]:
    """An object, as a tree names it."""
    name = _sha256(data)
    path = root / "objects" / name[:2] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return [name, len(data)]


def _everything_else(folder: Path, root: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if root not in (path, *path.parents)
    }


OUTSIDE = ("../../pwned", "{}/pwned", "a/../../../pwned", "a//b", "a\\b", "a\0b", "a\nb", "", ".", "x" * 256, "\ud800")


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize("where", ["tree", "paths"])
def test_a_path_that_is_none_is_neither_written_nor_removed(tmp_path: Path, where: str, path: str) -> None:
    root, path = tmp_path / "store", path.format(tmp_path)
    (tmp_path / "victim").write_text("precious")
    forge(root, {path if where == "tree" else "fine": put(root)}, [path if where == "paths" else "fine"])
    before = _everything_else(tmp_path, root)
    store = _store(root)
    for attempt in (
        lambda: store.commit({"mine": b"1"}, message="m", must_be_absent=True),
        lambda: store.fetch(store.files(), root / "to"),
        lambda: [entry.paths for entry in store.log()] and store.files(),
    ):
        with pytest.raises(Corrupt, match=r"00000001\.jsonl is damaged"):
            attempt()
    assert _everything_else(tmp_path, root) == before
    assert not (root / "current").exists()


def test_a_seed_into_a_stranger_s_store_touches_nothing_else(command: Cli, tmp_path: Path) -> None:
    root = tmp_path / "theirs"
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "absolute").write_text("precious")
    forge(root, {"../../pwned": put(root)}, ["../../victim", str(tmp_path / "absolute")])
    shown = command("op=seed_ssim", "engine=mock", f"store.path={root}", "op.confirm=upload")
    assert shown.code == 4 and "is damaged" in shown.text and "Traceback" not in shown.text, shown.text
    assert (tmp_path / "victim").exists() and (tmp_path / "absolute").exists()
    assert not list(tmp_path.rglob("pwned"))


DEEP: Any = json.loads("[" * 100 + "]" * 100)


@pytest.mark.parametrize(
    ("tree", "changes"),
    [
        ([], {}),
        ({"x": 3}, {}),
        ({"x": ["ab", 1]}, {}),
        ({"x": ["../" * 21 + "z", 1]}, {}),
        ({"x": ["A" * 64, 1]}, {}),
        ({"x": ["a" * 64, -1]}, {}),
        ({"x": ["a" * 64, "many"]}, {}),
        ({"x": ["a" * 64, 1], "x/y": ["a" * 64, 1]}, {}),
        (DEEP, {}),
        ({}, {"paths": "x"}),
        ({}, {"paths": [1]}),
        ({}, {"paths": None}),
        ({}, {"message": None}),
        ({}, {"message": "half \ud800"}),
        ({}, {"time": 3}),
        ({}, {"provenance": []}),
        ({}, {"provenance": {"who": DEEP}}),
        ({}, {"number": 2}),
        ({}, {"parent": None}),
        ({}, {"parent": "00000007-0123456789abcdef"}),
        ({}, {"tree_sha256": 5}),
        ({}, {"schema_version": "new"}),
    ],
)
def test_a_log_entry_of_other_types_is_refused_in_one_sentence(
    tmp_path: Path, tree: Any, changes: dict[str, Any]
) -> None:
    root = tmp_path / "store"
    forge(root, tree, **changes)
    store = _store(root)
    for attempt in (store.files, lambda: store.commit({"mine": b"1"}, message="m"), lambda: store.fetch(["x"], root)):
        with pytest.raises(Corrupt, match=r"00000001\.jsonl is damaged"):
            attempt()


@pytest.mark.parametrize(
    "second", [b"", b"[]", b"3", b"null", b"{}", b"\xff", b"[" * 100_000, b'{"schema_version": 1}']
)
def test_lines_with_the_right_hash_and_no_commit(tmp_path: Path, second: bytes) -> None:
    root = tmp_path / "store"
    (root / "log").mkdir(parents=True)
    (root / "log" / "00000001.jsonl").write_bytes(b'"' + _sha256(second).encode() + b'"\n' + second + b"\n{}\n")
    store = _store(root)
    for attempt in (store.head, store.files, store.log, lambda: store.commit({"x": b"1"}, message="m")):
        with pytest.raises(Corrupt, match=r"00000001\.jsonl is damaged"):
            attempt()


def test_lines_with_the_right_hash_and_no_commit_on_the_command_line(command: Cli, tmp_path: Path) -> None:
    (tmp_path / "store" / "log").mkdir(parents=True)
    (tmp_path / "store" / "log" / "00000001.jsonl").write_bytes(b'"' + _sha256(b"[]").encode() + b'"\n[]\n{}\n')
    for words in (["op=check_ssim"], ["op=log"], ["op=seed_ssim"]):
        shown = command(*words, "engine=mock")
        assert shown.code == 4 and "00000001.jsonl is damaged" in shown.text and "Traceback" not in shown.text


def test_a_line_without_end_is_not_read_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fvhydra.stores.local.history.TREE_BYTES", 10_000)
    root = tmp_path / "store"
    forge(root, {}, tree_line=b" " * 10_001)
    with pytest.raises(Corrupt, match="a line has more than 10,000 bytes"):
        _store(root).files()


def test_a_commit_that_nobody_would_read_again_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fvhydra.stores.local.history.TREE_BYTES", 1000)
    store = _store(tmp_path / "store")
    head = store.commit({"x": b"1"}, message="m")
    with pytest.raises(UsageError, match="larger than is read again"):
        store.commit({f"{number}": b"1" for number in range(100)}, message="m")
    assert store.head() == head


def test_a_history_whose_links_do_not_fit_is_damaged(tmp_path: Path) -> None:
    root, other = tmp_path / "store", tmp_path / "other"
    for folder, first in ((root, b"ours"), (other, b"theirs")):
        store = _store(folder)
        store.commit({"x": first}, message="one")
        store.commit({"y": b"1"}, message="two")
    shutil.copy(other / "log" / "00000001.jsonl", root / "log" / "00000001.jsonl")
    with pytest.raises(Corrupt, match=r"00000001\.jsonl is damaged: the next commit was made on"):
        _store(root).log()


def test_a_gap_in_the_history_is_named(tmp_path: Path) -> None:
    store = _store(tmp_path / "store")
    for number in range(3):
        store.commit({"x": b"%d" % number}, message="m")
    (tmp_path / "store" / "log" / "00000002.jsonl").unlink()
    with pytest.raises(Corrupt, match=r"00000002\.jsonl is lost"):
        store.log()
    assert list(store.files()) == ["x"], "the newest tree is whole all the same"


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _endless(path: Path) -> None:
    path.chmod(0o644)
    with open(path, "r+b") as handle:
        handle.truncate(1 << 40)


def _device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


ODD = {"fifo": _fifo, "endless": _endless, "device": _device, "folder": _folder}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("which", ["object", "log"])
def test_what_is_no_file_with_an_end_is_refused_at_once(tmp_path: Path, which: str, odd: str) -> None:
    root = tmp_path / "store"
    store = _store(root)
    store.commit({"x": b"precious"}, message="m")
    name = _sha256(b"precious")
    ODD[odd](root / "objects" / name[:2] / name if which == "object" else root / "log" / "00000001.jsonl")
    start = time.monotonic()
    with pytest.raises(Corrupt):
        store.fetch(["x"], tmp_path / "to")
    assert not (tmp_path / "to" / "x").exists()
    if which == "object" and odd != "folder":
        store.commit({"y": b"precious"}, message="the right bytes heal it")
        assert store.fetch(["x"], tmp_path / "to")["x"].read_bytes() == b"precious"
    else:
        with pytest.raises((Corrupt, UsageError)):
            store.commit({"y": b"precious"}, message="m")
    assert time.monotonic() - start < 5


def test_current_never_shows_what_an_object_only_points_at(tmp_path: Path) -> None:
    """A link in place of an object would put a secret where everybody looks."""
    root, secret = tmp_path / "store", tmp_path / "secret"
    secret.write_bytes(b"hidden")
    store = _store(root)
    store.commit({"x": b"shown!", "y": b"2"}, message="m")
    name = _sha256(b"shown!")
    (root / "objects" / name[:2] / name).unlink()
    (root / "objects" / name[:2] / name).symlink_to(secret)
    shutil.rmtree(root / "current")
    store.commit({"z": b"3"}, message="m")
    assert sorted(path.name for path in (root / "current").iterdir()) == ["y", "z"]


def test_current_never_shows_damaged_bytes(tmp_path: Path) -> None:
    root = tmp_path / "store"
    store = _store(root)
    store.commit({"x": b"precious", "y": b"2"}, message="m")
    path = root / "objects" / _sha256(b"precious")[:2] / _sha256(b"precious")
    path.chmod(0o644)
    path.write_bytes(b"pRecious")
    shutil.rmtree(root / "current")
    store.commit({"z": b"3"}, message="m")
    assert sorted(shown.name for shown in (root / "current").iterdir()) == ["y", "z"]
    assert list((root / "tmp").iterdir()) == []


@pytest.mark.parametrize("name", ["objects", "log", "tmp"])
def test_a_folder_of_the_store_that_is_a_link_is_refused(tmp_path: Path, name: str) -> None:
    root, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    store = _store(root)
    store.commit({"x": b"1"}, message="m")
    (root / name).rename(elsewhere)
    (root / name).symlink_to(elsewhere)
    (elsewhere / "mine").write_text("precious")
    for attempt in (
        store.head,
        store.check_writable,
        lambda: store.commit({"y": b"1"}, message="m"),
        lambda: store.fetch(["x"], tmp_path / "to"),
        lambda: store.verify(lambda _: None, repair=True, grace_s=-1),
    ):
        with pytest.raises(Corrupt, match=rf"{name} is a symbolic link to .*elsewhere"):
            attempt()
    assert (elsewhere / "mine").exists()


def test_a_folder_of_objects_that_is_a_link_is_refused(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    store = _store(root)
    store.commit({"x": b"1"}, message="m")
    folder = root / "objects" / _sha256(b"1")[:2]
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)
    (elsewhere / "mine").write_text("precious")
    attempts: list[Callable[[], object]] = [
        lambda: store.commit({"y": b"1"}, message="m"),
        lambda: store.fetch(["x"], tmp_path / "to"),
        lambda: store.verify(lambda _: None, repair=True, grace_s=-1),
    ]
    for attempt in attempts:
        with pytest.raises(Corrupt, match="is a symbolic link to"):
            attempt()
    assert (elsewhere / "mine").exists()


def test_current_as_a_link_is_replaced_by_a_folder(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    store = _store(root)
    store.commit({"x": b"1", "thesis.tex": b"1"}, message="m")
    shutil.rmtree(root / "current")
    elsewhere.mkdir()
    (elsewhere / "thesis.tex").write_text("years of work")
    (root / "current").symlink_to(elsewhere)
    store.commit({"x": b"2"}, deletes=["thesis.tex"], message="m")
    assert (elsewhere / "thesis.tex").read_text() == "years of work" and len(list(elsewhere.iterdir())) == 1
    assert not (root / "current").is_symlink() and (root / "current" / "x").read_bytes() == b"2"


def test_the_store_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "large disk").mkdir()
    (tmp_path / "store").symlink_to(tmp_path / "large disk")
    store = _store(tmp_path / "store")
    store.commit({"x": b"1"}, message="m")
    assert store.fetch(["x"], tmp_path / "to")["x"].read_bytes() == b"1"


def test_what_travels_to_another_machine_is_the_store_s_own(tmp_path: Path) -> None:
    root = tmp_path / "store"
    store = _store(root)
    store.commit({"x": b"one", "y": b"two"}, message="m")
    name = _sha256(b"one")
    (root / "objects" / name[:2] / name).unlink()
    (root / "objects" / name[:2] / name).symlink_to("/etc/passwd")
    assert [path.name for path in store.local_files([""])] == ["00000001.jsonl", _sha256(b"two")]
