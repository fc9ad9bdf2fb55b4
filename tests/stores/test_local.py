# SPDX-License-Identifier: Apache-2.0
"""What is special about the local store; what it shares with others is in ``tests/contracts/test_stores.py``."""

from __future__ import annotations

import errno
import logging
import os
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from fvhydra.config.store import LocalStoreConfig
from fvhydra.core.errors import Corrupt, Denied, FvhydraError, Unavailable, UsageError
from fvhydra.stores.local import LocalStore
from fvhydra.stores.local.history import Tree
from fvhydra.stores.local.view import View
from fvhydra.stores.verification import Kind
from fvhydra.testing.store_writers import at_once, compete, die_at, processes


def config(path: Path | str) -> LocalStoreConfig:
    return LocalStoreConfig(_target_="fvhydra.stores.local.LocalStore", name="local", path=str(path))


def opening(path: Path) -> Callable[[], LocalStore]:
    return partial(LocalStore, config(path))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> LocalStore:
    return LocalStore(config(root))


def shown(root: Path) -> dict[str, bytes]:
    current = root / "current"
    return {path.relative_to(current).as_posix(): path.read_bytes() for path in current.rglob("*") if path.is_file()}


def kept(store: LocalStore, to: Path) -> dict[str, bytes]:
    return {path: file.read_bytes() for path, file in store.fetch(store.files(), to).items()}


def test_the_folder_is_where_it_was_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert LocalStore(config("~/refs")).location == str(tmp_path / "refs")
    monkeypatch.chdir(tmp_path)
    assert LocalStore(config("refs")).location == str(tmp_path / "refs")


def test_current_shows_the_newest_tree(store: LocalStore, root: Path, tmp_path: Path) -> None:
    store.commit({"a/b/x.mp4": b"1", "a/y": b"2", "z": b"3"}, message="m")
    assert shown(root) == {"a/b/x.mp4": b"1", "a/y": b"2", "z": b"3"}
    store.commit({"a/y": b"changed", "new": b""}, deletes=["a/b/x.mp4"], message="m")
    assert shown(root) == {"a/y": b"changed", "new": b"", "z": b"3"}
    assert not (root / "current/a/b").exists(), "empty folders go"
    store.commit({"z/now/a/folder": b"4"}, deletes=["z"], message="m")
    store.commit({"a": b"5"}, deletes=["a/y"], message="m")
    assert shown(root) == {"a": b"5", "new": b"", "z/now/a/folder": b"4"}
    assert os.listdir(root / "tmp") == []


def test_current_is_never_read_back_and_heals_with_the_next_commit(
    store: LocalStore, root: Path, tmp_path: Path
) -> None:
    store.commit({"a/x": b"truth", "a/y": b"truth", "b": b"truth"}, message="m")
    x = root / "current/a/x"
    assert x.stat().st_mode & 0o777 == 0o444
    x.chmod(0o644)
    x.write_bytes(b"LIES!")
    (root / "current/a/y").unlink()
    assert kept(store, tmp_path / "to") == {"a/x": b"truth", "a/y": b"truth", "b": b"truth"}
    store.commit({"c": b"4"}, message="m")
    assert shown(root) == {"a/x": b"truth", "a/y": b"truth", "b": b"truth", "c": b"4"}

    shutil.rmtree(root / "current")
    store.commit({"c": b"5"}, message="m")
    assert shown(root) == {"a/x": b"truth", "a/y": b"truth", "b": b"truth", "c": b"5"}


def test_files_that_a_person_put_into_current_stay(store: LocalStore, root: Path) -> None:
    store.commit({"a/x": b"1"}, message="m")
    (root / "current/a/notes.txt").write_text("mine")
    store.commit({"b": b"1"}, deletes=["a/x"], message="m")
    assert shown(root) == {"a/notes.txt": b"mine", "b": b"1"}


def test_current_is_not_written_through_symbolic_links(store: LocalStore, root: Path, tmp_path: Path) -> None:
    store.commit({"a/x": b"1", "a/y": b"1", "b": b"1"}, message="m")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "y").write_text("precious")
    shutil.rmtree(root / "current/a")
    (root / "current/a").symlink_to(elsewhere)
    (root / "current/b").unlink()
    (root / "current/b").symlink_to(elsewhere / "y")
    store.commit({"a/x": b"2", "b": b"22"}, deletes=["a/y"], message="m")
    assert [path.name for path in elsewhere.iterdir()] == ["y"]
    assert (elsewhere / "y").read_text() == "precious"
    assert shown(root) == {"a/x": b"2", "b": b"22"}


def test_whoever_shows_an_old_tree_late_puts_it_right(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    show, faster = View.show, LocalStore(config(root))

    def show_late(view: View, tree: Tree, ever: Iterable[str]) -> None:
        monkeypatch.setattr(View, "show", show)
        faster.commit({"x": b"newer"}, deletes=["y"], message="made and shown before the older one is")
        show(view, tree, ever)

    monkeypatch.setattr(View, "show", show_late)
    store.commit({"x": b"older", "y": b""}, message="m")
    assert shown(root) == {"x": b"newer"}


def test_current_is_right_after_twelve_processes(store: LocalStore, root: Path, tmp_path: Path) -> None:
    at_once(12, tmp_path / "go", compete, opening(root), 3)
    assert shown(root) == kept(store, tmp_path / "to")
    assert os.listdir(root / "tmp") == []


def test_a_commit_stands_even_if_current_cannot_be_shown(
    store: LocalStore, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root.mkdir()
    store.commit({"a/x": b"1"}, message="m")
    (root / "current/b").write_text("a person's file, where a folder is wanted")
    with caplog.at_level(logging.WARNING):
        revision = store.commit({"b/x": b"1"}, message="m")
    assert store.head() == revision
    assert "current is not up to date" in caplog.text


def test_objects_are_kept_once(store: LocalStore, root: Path) -> None:
    store.commit({f"{number}": b"the same" for number in range(20)}, message="m")
    store.commit({"again": b"the same"}, message="m")
    assert len([path for path in (root / "objects").rglob("*") if path.is_file()]) == 1


def _object(store: LocalStore, root: Path, path: str) -> Path:
    sha256 = store.files()[path].digest.removeprefix("sha256:")
    return root / "objects" / sha256[:2] / sha256


@pytest.mark.parametrize("harm", ["flipped", "cut short", "lost", "a link"])
def test_harm_to_an_object_is_found_and_healed_by_the_right_bytes(
    store: LocalStore, root: Path, tmp_path: Path, harm: str
) -> None:
    store.commit({"x": b"precious"}, message="m")
    path = _object(store, root, "x")
    path.unlink()
    if harm == "a link":
        (tmp_path / "elsewhere").write_bytes(b"precious")
        path.symlink_to(tmp_path / "elsewhere")
    elif harm != "lost":
        path.write_bytes(b"pRecious" if harm == "flipped" else b"preci")
    with pytest.raises((Corrupt, Unavailable), match=path.name):
        store.fetch(["x"], tmp_path / "to")
    store.commit({"y": b"precious"}, message="the same bytes under another name")
    assert kept(store, tmp_path / "to") == {"x": b"precious", "y": b"precious"}


@pytest.mark.parametrize("line", [0, 1, 2])
def test_harm_to_the_log_is_found(store: LocalStore, root: Path, line: int) -> None:
    store.commit({"x": b"1"}, message="precious")
    path = root / "log" / "00000001.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line] = lines[line].replace(b"a", b"b") if line == 0 else lines[line].replace(b'"', b"'", 1)
    path.chmod(0o644)
    path.write_bytes(b"".join(lines))
    with pytest.raises(Corrupt, match="00000001"):
        store.files()


def test_a_log_of_a_newer_version_is_not_guessed_at(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as future:
        future.setattr("fvhydra.stores.local.history.SCHEMA_VERSION", 2)
        store.commit({"x": b"1"}, message="m")
    with pytest.raises(Unavailable, match="newer fvhydra"):
        store.files()


def test_a_folder_with_other_things_in_it_is_left_alone(store: LocalStore, root: Path) -> None:
    root.mkdir()
    (root / "current").mkdir()
    (root / "current" / "thesis.tex").write_text("years of work")
    for attempt in (store.check_writable, lambda: store.commit({"thesis.tex": b"1"}, message="m")):
        with pytest.raises(UsageError, match="no store and not empty"):
            attempt()
    assert [path.relative_to(root).as_posix() for path in root.rglob("*")] == ["current", "current/thesis.tex"]


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = LocalStore(config(tmp_path / "file"))
    for attempt in (store.check_writable, store.head, lambda: store.commit({"x": b"1"}, message="m")):
        with pytest.raises(Denied, match=r"cannot be used.*file"):
            attempt()


def test_a_file_system_without_hard_links_is_refused_before_anything_is_made(
    store: LocalStore, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(source: object, target: object) -> None:  # as FAT answers
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    for attempt in (store.check_writable, lambda: store.commit({"x": b"1"}, message="m")):
        with pytest.raises(Denied, match="no hard links"):
            attempt()
    assert store.files() == {}


def _commit_on_a_small_disk(root: Path, size: int) -> str:
    """How a commit ends when the system lets no file grow beyond 64 KiB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        return LocalStore(config(root)).commit({"small": b"1", "large": bytes(size)}, message="m")
    except FvhydraError as error:
        return f"{type(error).__name__}: {error}"


def test_a_full_disk_leaves_nothing_half_written(store: LocalStore, root: Path, tmp_path: Path) -> None:
    before = store.commit({"large": b"old"}, message="m")
    with ProcessPoolExecutor(1, mp_context=processes) as pool:
        outcome = pool.submit(_commit_on_a_small_disk, root, 1_000_000).result()
    assert outcome.startswith(f"UsageError: File too large while writing {root}")
    assert store.head() == before
    assert kept(store, tmp_path / "to") == {"large": b"old"}
    assert os.listdir(root / "tmp") == []
    assert len(_removed(store, grace_s=-1)) <= 1, "at most the small file was kept already"


def silent(_: str) -> None:
    pass


def _removed(store: LocalStore, **grace: float) -> list[Path]:
    found = store.verify(silent, repair=True, **grace).findings
    return [Path(finding.where) for finding in found if finding.kind is Kind.LITTER and finding.repaired]


def test_repairing_removes_what_the_dead_left_and_nothing_else(store: LocalStore, root: Path, tmp_path: Path) -> None:
    first = store.commit({"a": b"1", "b": b"old"}, message="m")
    store.commit({"b": b"new"}, deletes=["a"], message="m")
    for calls in range(15, 60, 3):
        victim = processes.Process(target=die_at, args=(opening(root), calls, calls))
        victim.start()
        victim.join()
    head = store.head()
    assert list((root / "tmp").iterdir()), "nobody left anything"
    assert _removed(store) == [], "it may belong to a commit that is being made"
    removed = _removed(store, grace_s=-1)
    assert {path.parent.name for path in removed} >= {"tmp"}
    assert list((root / "tmp").iterdir()) == []
    assert store.verify(silent, grace_s=-1).findings == []
    assert store.head() == head
    assert {path: file.read_bytes() for path, file in store.fetch(["a", "b"], tmp_path / "old", first).items()} == {
        "a": b"1",
        "b": b"old",
    }
    kept(store, tmp_path / "to")


def test_an_unused_object_that_is_used_again_counts_as_new(store: LocalStore, root: Path) -> None:
    with pytest.MonkeyPatch.context() as late:
        late.setattr("fvhydra.stores.local.history.link_once", lambda file, name: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            store.commit({"x": b"1"}, message="m")
    (unused,) = [path for path in (root / "objects").rglob("*") if path.is_file()]
    time.sleep(0.5)
    store.commit({"y": b"1"}, message="m")
    assert time.time() - unused.stat().st_ctime < 0.4
