# SPDX-License-Identifier: Apache-2.0
"""``op=verify``: what a person is told of a store, and what is put right."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from fvhydra.config.store import LocalStoreConfig
from fvhydra.stores.local import LocalStore
from tests.conftest import Cli


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    made = LocalStore(LocalStoreConfig(_target_="", name="local", path=str(tmp_path / "store")))
    made.commit({"reference_videos/a.mp4": b"first", "reference_videos/b.mp4": b"other"}, message="one")
    made.commit({"reference_videos/a.mp4": b"second"}, message="two")
    return made


def _object(folder: Path, content: bytes) -> Path:
    name = hashlib.sha256(content).hexdigest()
    return folder / "store" / "objects" / name[:2] / name


def test_a_whole_store_is_done(command: Cli, store: LocalStore, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    shown = command("op=verify")
    assert shown.code == 0 and "3 file(s) in 2 commit(s), 0.0 MB: all of it is whole" in shown.out, shown.text
    assert sorted(path for path in tmp_path.rglob("*") if "outputs" not in str(path)) == before


def test_a_store_that_was_never_written_is_whole(command: Cli, tmp_path: Path) -> None:
    shown = command("op=verify", "op.repair=true")
    assert shown.code == 0 and "0 file(s) in 0 commit(s)" in shown.out, shown.text
    assert not (tmp_path / "store").exists()


def test_a_folder_that_is_no_store_is_not_called_whole(command: Cli, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    shown = command("op=verify", f"store.path={tmp_path / 'thesis'}", "op.repair=true")
    assert shown.code == 2 and "is no store and not empty: it holds chapter.tex" in shown.text, shown.text
    shown = command("op=verify", f"store.path={tmp_path / 'thesis'}")
    assert shown.code == 2 and "is no store" in shown.text, shown.text


def test_harm_is_named_with_what_to_do(command: Cli, store: LocalStore, tmp_path: Path) -> None:
    for content in (b"first", b"second"):
        _object(tmp_path, content).unlink()
    (tmp_path / "store/current/reference_videos/a.mp4").unlink()
    shown = command("op=verify")
    assert shown.code == 4 and "2 lost" in shown.out, shown.text
    for part in ("reference_videos/a.mp4: is lost", "op.repair=true", "op=reseed_ssim", "from a backup of the store"):
        assert part in shown.out
    repaired = command("op=verify", "op.repair=true")
    assert repaired.code == 4 and "2 lost" in repaired.out and "op.repair=true" not in repaired.out, repaired.text
    (tmp_path / "store" / "log" / "00000001.jsonl").unlink()
    shown = command("op=verify")
    assert (
        shown.code == 4 and "1 commit(s) unreadable" in shown.out and "Only a person can put a commit back" in shown.out
    )


def test_repair_puts_back_what_a_copy_is_left_of(command: Cli, store: LocalStore, tmp_path: Path) -> None:
    _object(tmp_path, b"second").unlink()
    (tmp_path / "store/current/reference_videos/b.mp4").unlink()
    shown = command("op=verify", "op.repair=true")
    assert shown.code == 0 and shown.out.count("(repaired)") == 2, shown.text
    assert _object(tmp_path, b"second").read_bytes() == b"second"
    assert "all of it is whole" in command("op=verify").out


@pytest.mark.slow
def test_the_doctor_sends_to_it(command: Cli, store: LocalStore, tmp_path: Path) -> None:
    _object(tmp_path, b"second").unlink()
    shown = command("op=doctor")
    assert shown.code == 4 and "damaged: reference_videos/a.mp4" in shown.out and "op=verify" in shown.out, shown.text
