# SPDX-License-Identifier: Apache-2.0
"""Walking through a local store: what is found, what is put right, and what is left to a person."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path

import pytest

from fvhydra.config.store import LocalStoreConfig
from fvhydra.core.errors import Corrupt
from fvhydra.stores.local import LocalStore
from fvhydra.stores.verification import UNVERIFIED, Kind, Verification

DAY_S = 24 * 3600.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> LocalStore:
    """Three commits: ``a`` changed once, ``b`` was removed."""
    made = LocalStore(LocalStoreConfig(_target_="", name="local", path=str(root)))
    made.commit({"ref/a": b"first", "ref/b": b"other"}, message="one")
    made.commit({"ref/a": b"second"}, message="two")
    made.commit({"ref/c": b"third"}, deletes=["ref/b"], message="three")
    return made


def _verify(store: LocalStore, repair: bool = False, **grace: float) -> Verification:
    return store.verify(lambda _: None, repair=repair, **grace)


def _object(root: Path, content: bytes) -> Path:
    name = hashlib.sha256(content).hexdigest()
    return root / "objects" / name[:2] / name


def _flip(path: Path) -> None:
    path.chmod(0o644)
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


def _listed(found: Verification) -> list[tuple[Kind, str, bool]]:
    return [(item.kind, Path(item.where).name, item.repaired) for item in found.findings]


def test_a_whole_store_has_no_findings(store: LocalStore) -> None:
    found = _verify(store)
    assert (found.commits, found.files, found.size, found.findings) == (3, 4, 21, [])


@pytest.mark.parametrize("content", [b"first", b"second", b"other", b"third"])
@pytest.mark.parametrize("harm", ["flipped", "lost", "a link", "a folder", "longer"])
def test_every_content_of_every_revision_is_looked_at(
    store: LocalStore, root: Path, tmp_path: Path, content: bytes, harm: str
) -> None:
    path = _object(root, content)
    if harm == "flipped":
        _flip(path)
    elif harm == "longer":
        path.chmod(0o644)
        path.write_bytes(content + b"!")
    else:
        path.unlink()
    if harm == "a link":
        (tmp_path / "copy").write_bytes(content)
        path.symlink_to(tmp_path / "copy")
    elif harm == "a folder":
        path.mkdir()
    [finding] = _verify(store).harm
    assert finding.kind is (Kind.LOST if harm == "lost" else Kind.DAMAGED)
    today = {b"second": ("ref/a",), b"third": ("ref/c",)}
    assert finding.where == str(path) and finding.paths == today.get(content, ())
    assert not finding.repaired


@pytest.mark.parametrize("harm", ["flipped", "lost"])
def test_what_is_shown_still_heals_what_is_not_whole(store: LocalStore, root: Path, tmp_path: Path, harm: str) -> None:
    path = _object(root, b"second")
    _flip(path) if harm == "flipped" else path.unlink()
    found = _verify(store, repair=True)
    assert [(item.where, item.repaired) for item in found.findings] == [(str(path), True)]
    assert "put back from current/" in found.findings[0].message
    assert store.fetch(["ref/a"], tmp_path / "to")["ref/a"].read_bytes() == b"second"
    assert path.stat().st_mode & 0o777 == 0o444
    assert _verify(store).findings == []


def test_a_copy_that_is_damaged_too_heals_nothing(store: LocalStore, root: Path) -> None:
    _object(root, b"second").unlink()
    _flip(root / "current/ref/a")
    found = _verify(store, repair=True)
    assert [item.kind for item in found.harm] == [Kind.LOST]
    assert not _object(root, b"second").exists()


def test_a_copy_behind_a_link_heals_nothing(store: LocalStore, root: Path, tmp_path: Path) -> None:
    _object(root, b"second").unlink()
    (tmp_path / "elsewhere").write_bytes(b"second")
    (root / "current/ref/a").unlink()
    (root / "current/ref/a").symlink_to(tmp_path / "elsewhere")
    assert [item.kind for item in _verify(store, repair=True).harm] == [Kind.LOST]


@pytest.mark.parametrize("harm", ["flipped", "lost", "swapped", "tree"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_every_commit_is_looked_at(store: LocalStore, root: Path, tmp_path: Path, number: int, harm: str) -> None:
    path = root / "log" / f"{number:08d}.jsonl"
    path.chmod(0o644)
    if harm == "lost" and number < 3:  # the newest may never have been made
        path.unlink()
    elif harm == "swapped":
        other = LocalStore(LocalStoreConfig(_target_="", name="local", path=str(tmp_path / "other")))
        for step in range(3):
            other.commit({"ref/a": b"%d" % step}, message="theirs")
        shutil.copy(tmp_path / "other" / "log" / path.name, path)
    elif harm == "tree":
        path.write_bytes(path.read_bytes()[:-3] + b"x}\n")
    else:
        _flip(path)
    found = _verify(store, repair=True, grace_s=-1)
    named = [Path(item.where).name for item in found.findings if item.kind is Kind.HISTORY]
    # a commit of another store fits neither what was made on it nor what it was made on
    assert path.name in named or (harm == "swapped" and named), found.findings
    assert _object(root, b"first").exists() and _object(root, b"other").exists(), (
        "what an unreadable commit may have is no litter"
    )


def test_litter_is_named_and_removed_after_a_day(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphan, unfinished, mine = _object(root, b"nobody's"), root / "tmp" / ".tmp-x1", root / "objects" / "ab" / "notes"
    for path in (orphan, unfinished, mine):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"nobody's")
    (root / "log" / "notes.txt").write_text("a person's")
    (root / "tmp" / ".tmp-folder").mkdir()
    (root / "tmp" / "link").symlink_to("/etc")
    (root / "objects" / "ab" / ("ab" * 32)).mkdir()
    young = _verify(store, repair=True)
    assert sorted(_listed(young)) == sorted(
        [
            (Kind.LITTER, orphan.name, False),
            (Kind.LITTER, ".tmp-x1", False),
            (Kind.STRANGE, "notes", False),
            (Kind.STRANGE, "notes.txt", False),
            (Kind.STRANGE, ".tmp-folder", False),
            (Kind.STRANGE, "link", False),
            (Kind.STRANGE, "ab" * 32, False),
        ]
    )
    assert all("may still be in use" in item.message for item in young.findings if item.kind is Kind.LITTER)
    now = time.time()
    monkeypatch.setattr("fvhydra.stores.local.verification.time.time", lambda: now + DAY_S + 60)
    assert [item for item in _listed(_verify(store)) if item[2]] == [], "looking changes nothing"
    old = _verify(store, repair=True)
    assert {name for kind, name, repaired in _listed(old) if repaired} == {orphan.name, ".tmp-x1"}
    assert not orphan.exists() and not unfinished.exists()
    assert mine.exists() and (root / "log" / "notes.txt").exists()
    assert old.harm == []


def test_an_object_that_is_used_again_is_no_litter(store: LocalStore, root: Path, tmp_path: Path) -> None:
    orphan = _object(root, b"late")
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"late")
    store.commit({"ref/late": b"late"}, message="m")
    assert _verify(store, repair=True, grace_s=-1).findings == []
    assert store.fetch(["ref/late"], tmp_path / "to")["ref/late"].read_bytes() == b"late"


def test_what_is_shown_is_made_anew(store: LocalStore, root: Path, tmp_path: Path) -> None:
    current, elsewhere = root / "current", tmp_path / "elsewhere"
    stamp = (current / "ref/a").stat().st_mtime_ns
    (current / "ref/a").chmod(0o644)
    (current / "ref/a").write_bytes(b"sECond")
    os.utime(current / "ref/a", ns=(stamp, stamp))  # nothing tells but the bytes
    (current / "ref/c").unlink()
    (current / "ref/b").write_bytes(b"back again")
    (current / "ref/notes").write_text("a person's")
    found = _verify(store)
    assert {(Path(item.where).name, item.message.split()[0]) for item in found.findings} == {
        ("a", "Has"),
        ("b", "Is"),
        ("c", "Is"),
    }
    assert found.harm == []
    assert all(item.repaired for item in _verify(store, repair=True).findings)
    shown = {path.name: path.read_bytes() for path in (current / "ref").iterdir()}
    assert shown == {"a": b"second", "c": b"third", "notes": b"a person's"}

    elsewhere.mkdir()
    (elsewhere / "a").write_bytes(b"precious")
    shutil.rmtree(current / "ref")
    (current / "ref").symlink_to(elsewhere)
    assert all(item.repaired for item in _verify(store, repair=True).findings)
    assert (elsewhere / "a").read_bytes() == b"precious" and (current / "ref/a").read_bytes() == b"second"
    assert not (current / "ref").is_symlink()


def test_what_a_change_could_not_read_when_it_replaced_it_is_no_news(store: LocalStore, root: Path) -> None:
    _object(root, b"second").unlink()
    digest = f"sha256:{hashlib.sha256(b'second').hexdigest()}"
    store.commit({"ref/a": b"new"}, message="re-seed", provenance={UNVERIFIED: {"ref/a": digest}})
    found = _verify(store)
    assert found.harm == [] and [item.kind for item in found.findings] == [Kind.FORMER]
    store.commit({"ref/z": b"new", "ref/a": b"x"}, message="m")
    _object(root, b"new").unlink()
    assert [item.paths for item in _verify(store).harm] == [("ref/z",)]


def test_a_disk_that_cannot_read_is_named(store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, real = _object(root, b"second"), os.open

    def failing(path: object, *arguments: object, **settings: object) -> int:
        if str(path) == str(bad):
            raise OSError(5, "Input/output error", str(bad))
        return real(path, *arguments, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", failing)
    [finding] = _verify(store).harm
    assert finding.paths == ("ref/a",) and "Input/output error" in finding.message
    with pytest.raises(Corrupt, match="cannot be read: Input/output error"):
        store.fetch(["ref/a"], root.parent / "to")


def test_a_view_that_a_killed_command_left_behind_is_brought_up_to_date(store: LocalStore, root: Path) -> None:
    shutil.rmtree(root / "current")
    store.refresh()
    assert sorted(path.name for path in (root / "current/ref").iterdir()) == ["a", "c"]
