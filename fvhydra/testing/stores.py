# SPDX-License-Identifier: Apache-2.0
"""What every store must keep, whatever it is made of (``fvhydra.stores.base``)."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fvhydra.core.errors import Conflict, Corrupt, Denied, Exists, Unavailable, UsageError
from fvhydra.stores.base import FileCopy, Store
from fvhydra.stores.verification import Kind
from fvhydra.testing.store_races import StoreRaces
from fvhydra.testing.store_sites import StoreSite, contents, messages

ODD_NAMES = (
    "a cat.mp4",
    "ein Kätzchen, sitzend = glücklich (1.2).mp4",
    "猫が座っている。" * 8 + ".mp4",
    "🐈‍⬛ 👩🏽‍🚀.mp4",
    "قطة تجلس.mp4",
    "[brackets] *stars* ?.mp4",
    "'quotes' \"double\" $HOME `x` %41 #1 & ~.mp4",
    "..mp4",
    ".hidden",
    "ends in a dot.",
    " spaces ",
    "x" * 255,
)
NO_PATHS = ("", "/etc/passwd", "../x", "a/../../x", "a/./b", "a//b", "a/", ".", "..", "a\\b", "a\0b", "a\nb", "y" * 256)


class StoreContract(StoreRaces):
    """Subclass it in a test module, set :attr:`choice` and give the fixture ``make_site``."""

    def test_a_store_that_was_never_written_is_empty_and_stays_so(self, store: Store, tmp_path: Path) -> None:
        before = sorted(tmp_path.rglob("*"))
        head = store.head()
        assert store.files() == store.files("", head) == store.files("nothing/here") == {}
        assert store.fetch([], tmp_path / "to") == {}
        store.check_writable()
        assert sorted(tmp_path.rglob("*")) == before
        assert store.head() == head

    def test_a_commit_adds_replaces_and_deletes(self, store: Store, tmp_path: Path) -> None:
        large = random.Random(1).randbytes(3_000_000)
        (tmp_path / "large").write_bytes(large)
        empty = store.head()
        first = store.commit({"ref/a.mp4": tmp_path / "large", "ref/b.json": b"{}", "c": b""}, message="first")
        second = store.commit({"ref/b.json": b"[]"}, deletes=["c"], parent=first, message="second")

        assert store.head() == second
        assert len({empty, first, second}) == 3
        assert contents(store, tmp_path) == {"ref/a.mp4": large, "ref/b.json": b"[]"}
        assert contents(store, tmp_path, revision=first) == {"ref/a.mp4": large, "ref/b.json": b"{}", "c": b""}
        assert contents(store, tmp_path, revision=empty) == {}
        assert store.files()["ref/a.mp4"].size == len(large)
        assert [entry.parent for entry in store.log()][:2] == [first, empty]

    def test_files_below_a_prefix(self, store: Store) -> None:
        store.commit({"a/x": b"1", "a/b/y": b"2", "ab/z": b"3", "a.b": b"4"}, message="m")
        assert list(store.files("a")) == list(store.files("a/")) == ["a/b/y", "a/x"]
        assert list(store.files("a/x")) == ["a/x"]
        assert list(store.files()) == ["a.b", "a/b/y", "a/x", "ab/z"]
        assert store.files("b") == {}

    def test_odd_names_are_names(self, store: Store, tmp_path: Path) -> None:
        wanted = {f"folder {name}"[:80] + f"/{name}": name.encode() for name in ODD_NAMES}
        store.commit(wanted, message="odd")
        assert contents(store, tmp_path) == wanted
        for path in wanted:
            assert list(store.files(path.split("/")[0])) == [path]

    @pytest.mark.parametrize("path", NO_PATHS)
    def test_what_is_no_path_is_refused(self, store: Store, tmp_path: Path, path: str) -> None:
        store.commit({"x": b"1"}, message="m")
        for attempt in (
            lambda: store.commit({path: b"1"}, message="m"),
            lambda: store.commit(deletes=[path], message="m"),
            lambda: store.commit(copies=[FileCopy(path, "x")], message="m"),
            lambda: store.commit(copies=[FileCopy("y", path)], message="m"),
            lambda: store.fetch([path], tmp_path / "to"),
        ):
            with pytest.raises(UsageError, match="is not a store path"):
                attempt()
        assert list(store.files()) == ["x"]

    @pytest.mark.parametrize(
        ("edit", "sentence"),
        [
            ({}, "must add, delete or copy"),
            ({"adds": {"x": b"1"}, "deletes": ["x"]}, "x is named twice"),
            ({"adds": {"a": b"1", "a/b": b"2"}}, "a cannot be a file and a folder"),
            ({"adds": {"a": Path("/nowhere/a.mp4")}}, "no file /nowhere/a.mp4"),
        ],
    )
    def test_an_edit_that_makes_no_sense_is_refused(self, store: Store, edit: dict[str, Any], sentence: str) -> None:
        with pytest.raises(UsageError, match=sentence):
            store.commit(**edit, message="m")
        assert store.files() == {}

    def test_what_is_there_is_not_overwritten_when_it_must_be_absent(self, store: Store, tmp_path: Path) -> None:
        store.commit({"d/x": b"1", "d/y": b"2"}, message="m")
        head = store.head()
        for adds, there in (
            ({"new": b"", "d/x": b"1", "d/y": b"9"}, ["d/x", "d/y"]),
            ({"d": b"a file in place of a folder"}, ["d"]),
            ({"d/x/z": b"a folder in place of a file"}, ["d/x"]),
        ):
            with pytest.raises(Exists) as caught:
                store.commit(adds, must_be_absent=True, message="m")
            assert caught.value.paths == there
        with pytest.raises(Exists):
            store.commit(copies=[FileCopy("d/y", "d/x")], must_be_absent=True, message="m")
        assert store.head() == head

    def test_a_file_never_stands_in_place_of_a_folder(self, store: Store, tmp_path: Path) -> None:
        store.commit({"d/x": b"1"}, message="m")
        for path in ("d", "d/x/y"):
            with pytest.raises(Exists):
                store.commit({path: b"2"}, message="m")
        store.commit({"d": b"3"}, deletes=["d/x"], message="the folder goes, so its name is free")
        assert contents(store, tmp_path) == {"d": b"3"}

    def test_a_path_that_is_not_there_is_not_deleted_copied_or_fetched(self, store: Store, tmp_path: Path) -> None:
        first = store.commit({"x": b"1"}, message="m")
        head = store.commit({"y": b"1"}, message="m")
        for attempt in (
            lambda: store.commit({"new": b""}, deletes=["gone"], message="m"),
            lambda: store.commit({"new": b""}, copies=[FileCopy("z", "gone")], message="m"),
            lambda: store.commit({"new": b""}, copies=[FileCopy("z", "y", first)], message="m"),
            lambda: store.fetch(["x", "gone"], tmp_path / "to"),
            lambda: store.fetch(["y"], tmp_path / "to", first),
            lambda: store.files(revision="no such revision"),
            lambda: store.files(revision=head[:-1] + ("0" if head[-1] != "0" else "1")),
            lambda: store.commit({"new": b""}, parent="no such revision", message="m"),
            lambda: store.restore("", "no such revision", message="m"),
            lambda: store.restore("gone", first, message="m"),
        ):
            with pytest.raises(Unavailable):
                attempt()
        assert store.head() == head
        assert not (tmp_path / "to").exists()

    def test_a_stale_parent_is_a_conflict_that_says_who_and_what(self, make_store: Callable[[], Store]) -> None:
        mine, theirs = make_store(), make_store()
        parent = mine.commit({"x": b"0"}, message="start")
        theirs.commit({"x": b"1", "y": b"1"}, message="their change", provenance={"who": "Ada"})
        theirs.commit({"z": b"1"}, message="their later change")

        with pytest.raises(Conflict, match=r"Ada .*their change(.|\n)*\n    x") as caught:
            mine.commit({"x": b"2", "w": b"2"}, parent=parent, message="m")
        assert caught.value.paths == ["x"]
        with pytest.raises(Conflict, match="their later change") as caught:
            mine.commit({"w": b"2"}, parent=parent, message="m")
        assert caught.value.paths == []
        with pytest.raises(Conflict):  # the same bytes are no excuse: that commit was not made by this caller
            mine.commit({"z": b"1"}, parent=parent, message="m")
        assert messages(mine)[:3] == ["their later change", "their change", "start"]

    def test_without_a_parent_a_commit_goes_on_top(self, make_store: Callable[[], Store], tmp_path: Path) -> None:
        mine, theirs = make_store(), make_store()
        mine.head()
        theirs.commit({"x": b"1"}, message="theirs")
        mine.commit({"y": b"2"}, message="mine")
        assert contents(theirs, tmp_path) == {"x": b"1", "y": b"2"}

    def test_an_operation_is_done_once(self, make_store: Callable[[], Store], tmp_path: Path) -> None:
        store = make_store()
        start = store.head()
        operation = {"operation": "5f2c", "reason": "r"}
        done = store.commit({"x": b"1"}, parent=start, must_be_absent=True, message="m", provenance=operation)
        store.commit({"x": b"2"}, message="later")
        # the answer was lost, the machine restarted, somebody published the same change: all look like this
        again = make_store().commit({"x": b"1"}, parent=start, must_be_absent=True, message="m", provenance=operation)
        assert again == done == make_store().published("5f2c")
        assert make_store().published("5f2d") is None
        assert contents(store, tmp_path) == {"x": b"2"}
        assert messages(store, "x") == ["later", "m"]

    def test_message_and_provenance_come_back(self, store: Store) -> None:
        provenance = {"who": "Ada", "note": 'é\n"q" 猫', "versions": {"torch": "2.13"}, "n": [1, 2.5, None, True]}
        revision = store.commit({"b": b"1", "a": b"1"}, message='Seed "猫"', provenance=provenance)
        entry = store.log()[0]
        assert (entry.revision, entry.message, entry.paths) == (revision, 'Seed "猫"', ("a", "b"))
        assert entry.provenance == provenance
        assert entry.time.endswith("+00:00")

    def test_the_log_of_a_prefix(self, store: Store) -> None:
        store.commit({"a/x": b"1"}, message="one")
        store.commit({"ab/x": b"1"}, message="two")
        store.commit({"b": b"1"}, deletes=["a/x"], message="three")
        assert messages(store)[:3] == ["three", "two", "one"]
        assert messages(store, "a") == ["three", "one"]
        assert messages(store, "a/x") == ["three", "one"]
        assert messages(store, "c") == []

    def test_copies_need_no_bytes(self, store: Store, tmp_path: Path) -> None:
        first = store.commit({"a": b"old", "gone": b"gone"}, message="m")
        store.commit({"a": b"new"}, deletes=["gone"], message="m")
        store.commit(
            copies=[FileCopy("b", "a"), FileCopy("c", "a", first), FileCopy("gone", "gone", first)], message="m"
        )
        assert contents(store, tmp_path) == {"a": b"new", "b": b"new", "c": b"old", "gone": b"gone"}
        store.commit(copies=[FileCopy("a", "b")], deletes=["b"], message="a move, in effect")
        assert contents(store, tmp_path) == {"a": b"new", "c": b"old", "gone": b"gone"}

    def test_restore_brings_a_folder_back_and_nothing_else(self, store: Store, tmp_path: Path) -> None:
        good = store.commit({"ref/w": b"good" * 99, "ref/j": b"old", "ref/gone": b"g", "other": b"1"}, message="good")
        store.commit({"ref/w": b"bad", "ref/extra": b"e", "other": b"2"}, deletes=["ref/gone"], message="bad")
        back = store.restore("ref", good, message="back", provenance={"who": "Ada"})

        assert store.head() == back
        assert contents(store, tmp_path, "ref") == {"ref/w": b"good" * 99, "ref/j": b"old", "ref/gone": b"g"}
        assert contents(store, tmp_path, "other") == {"other": b"2"}
        entry = store.log()[0]
        assert entry.paths == ("ref/extra", "ref/gone", "ref/w")
        assert entry.provenance == {"who": "Ada", "restored": {"prefix": "ref", "revision": good}}
        assert store.restore("ref", good, message="again") == back, "nothing to do is no commit"
        assert contents(store, tmp_path, revision=store.restore("", good, message="all"))["other"] == b"1"

    def test_fetch_transfers_what_differs_and_repairs_what_was_tampered_with(
        self, store: Store, tmp_path: Path
    ) -> None:
        store.commit({"a/x": b"one", "a/y": b"two"}, message="m")
        to = tmp_path / "to"
        fetched = store.fetch(["a/x", "a/y"], to)
        assert fetched == {"a/x": to / "a/x", "a/y": to / "a/y"}
        stamps = {path: file.stat().st_mtime_ns for path, file in fetched.items()}
        fetched["a/y"].write_bytes(b"TWO")  # the same size
        store.fetch(["a/x", "a/y"], to)
        assert fetched["a/y"].read_bytes() == b"two"
        assert fetched["a/x"].stat().st_mtime_ns == stamps["a/x"]
        assert sorted(path.name for path in (to / "a").iterdir()) == ["x", "y"]

    def test_damaged_bytes_are_not_handed_out(self, site: StoreSite, store: Store, tmp_path: Path) -> None:
        store.commit({"x": b"precious" * 1000, "y": b"fine"}, message="m")
        site.damage(store.files()["x"])
        with pytest.raises(Corrupt):
            store.fetch(["x"], tmp_path / "to")
        assert not (tmp_path / "to" / "x").exists()
        assert list(tmp_path.glob("to/.*")) == []
        assert store.fetch(["y"], tmp_path / "to")["y"].read_bytes() == b"fine"

    def test_a_walk_through_the_store_names_what_is_damaged(
        self, site: StoreSite, make_store: Callable[[], Store], tmp_path: Path
    ) -> None:
        store = make_store()
        told: list[str] = []
        assert store.verify(told.append).findings == []
        store.commit({"x": b"precious" * 1000, "y": b"fine"}, message="m")
        found = store.verify(told.append)
        assert (found.commits, found.files, found.size, found.findings) == (1, 2, 8004, []) and told
        site.damage(store.files()["x"])
        [finding] = make_store().verify(told.append).harm
        assert (finding.kind, finding.paths, finding.repaired) == (Kind.DAMAGED, ("x",), False)
        [finding] = make_store().verify(told.append, repair=True).harm if not store.heals else [finding]
        make_store().commit({"x": b"other" * 1000}, message="another file in its place")
        assert all(finding.paths == () for finding in make_store().verify(told.append).harm)

    def test_the_right_bytes_heal_a_store_that_says_so(self, site: StoreSite, store: Store, tmp_path: Path) -> None:
        store.commit({"x": b"precious" * 1000, "y": b"fine"}, message="m")
        site.damage(store.files()["x"])
        store.commit({"x": b"precious" * 1000}, message="again")
        if store.heals:
            assert contents(store, tmp_path)["x"] == b"precious" * 1000
            assert store.verify(lambda _: None).findings == []

    @pytest.mark.parametrize("provenance", [{"who": "\ud800"}, {"x": float("nan")}, {"x": 10**30}, {"x": object()}])
    def test_a_note_that_nobody_could_read_again_is_refused(self, store: Store, provenance: dict[str, Any]) -> None:
        with pytest.raises(UsageError, match="A commit's message with its provenance"):
            store.commit({"x": b"1"}, message="m", provenance=provenance)
        assert store.files() == {}

    def test_a_store_that_may_not_be_written_says_so(self, site: StoreSite) -> None:
        store = site.denied()
        with pytest.raises(Denied):
            store.check_writable()
        with pytest.raises(Denied):
            store.commit({"x": b"1"}, message="m")

    def test_five_thousand_files(self, store: Store, tmp_path: Path) -> None:
        wanted = {f"records/{number % 50}/{number}.json": b"%d" % number for number in range(5000)}
        first = store.commit(wanted, message="many")
        store.commit({"records/0/0.json": b"changed"}, message="one more")
        assert list(store.files()) == sorted(wanted)
        assert len(store.files("records/7")) == 100
        some = sorted(wanted)[::100]
        assert {path: file.read_bytes() for path, file in store.fetch(some, tmp_path / "to", first).items()} == {
            path: wanted[path] for path in some
        }
