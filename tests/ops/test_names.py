# SPDX-License-Identifier: Apache-2.0
"""Prompts whose names a file system cannot hold are refused before anything is generated, overwritten or lost."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from fvhydra.config.store import LocalStoreConfig
from fvhydra.core.errors import UsageError
from fvhydra.core.filesystem import NameRules
from fvhydra.stores.local import LocalStore
from tests.conftest import Cli

WINDOWS = NameRules(folds_case=True, forbidden='?:*"<>|', cuts_endings=True)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every folder were on Windows."""
    monkeypatch.setattr("fvhydra.core.filesystem.probe", lambda _: WINDOWS)


@pytest.mark.parametrize("op", ["seed_ssim", "check_ssim", "generate"])
def test_prompts_that_are_one_file_are_refused_before_anything_runs(
    command: Cli, tmp_path: Path, elsewhere: None, op: str
) -> None:
    (tmp_path / "two.txt").write_text("A cat\na cat\n")
    shown = command(f"op={op}", "engine=mock", "prompt_file=two.txt")
    assert shown.code == 2 and "it is one file with" in shown.text and "A cat.pt" in shown.text, shown.text
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(("prompt", "reason"), [("Is it a cat?", "knows no ?"), ("A cat: asleep", "knows no :")])
def test_a_prompt_that_is_no_name_there_is_refused(
    command: Cli, tmp_path: Path, elsewhere: None, prompt: str, reason: str
) -> None:
    shown = command("op=seed_ssim", "engine=mock", f"prompt='{prompt}'")
    assert shown.code == 2 and reason in shown.text and not (tmp_path / "outputs").exists(), shown.text


def test_a_re_seed_of_references_that_are_one_file_here_is_refused(
    command: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "two.txt").write_text("A cat\na cat\n")
    assert command("op=seed_ssim", "engine=mock", "prompt_file=two.txt", "op.confirm=upload").code == 0
    monkeypatch.setattr("fvhydra.core.filesystem.probe", lambda _: WINDOWS)
    shown = command("op=reseed_ssim", "engine=mock", "prompt_file=two.txt", "op.reason=why")
    assert shown.code == 2 and "it is one file with" in shown.text, shown.text


def test_fetching_never_puts_one_reference_over_another(
    tmp_path: Path, elsewhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalStore(LocalStoreConfig(_target_="", name="local", path=str(tmp_path / "store")))
    store.commit({"ref/A cat": b"1", "ref/a cat": b"2", "ref/b": b"3"}, message="m")
    with pytest.raises(UsageError, match="it is one file with ref/A cat there"):
        store.fetch(["ref/A cat", "ref/a cat"], tmp_path / "to")
    store.fetch(["ref/A cat"], tmp_path / "to")
    exists, fetched = Path.exists, tmp_path / "to/ref"
    monkeypatch.setattr(
        Path, "exists", lambda path: exists(path.with_name("A cat") if path.parent == fetched else path)
    )
    with pytest.raises(UsageError, match="it is one file with A cat there"):  # one after the other
        store.fetch(["ref/a cat"], tmp_path / "to")
    assert (fetched / "A cat").read_bytes() == b"1"


def test_what_cannot_be_shown_is_said_and_kept(
    tmp_path: Path, elsewhere: None, caplog: pytest.LogCaptureFixture
) -> None:
    store = LocalStore(LocalStoreConfig(_target_="", name="local", path=str(tmp_path / "store")))
    with caplog.at_level(logging.WARNING):
        store.commit({"ref/A cat": b"1", "ref/a cat": b"2", "ref/b?": b"3"}, message="m")
    assert [path.name for path in (tmp_path / "store/current/ref").iterdir()] == ["A cat"]
    assert "ref/a cat is not in" in caplog.text and "knows no ? in a name" in caplog.text
    assert len(store.files()) == 3 and store.verify(lambda _: None).findings == []
