# SPDX-License-Identifier: Apache-2.0
"""A command that was killed right after its commit, and is run again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fvhydra.stores.local import LocalStore
from fvhydra.stores.local.view import View
from tests.conftest import Cli

SEED = ("op=seed_ssim", "engine=mock", "op.confirm=upload")


class Killed(BaseException):
    """What ends a process here: nothing catches it, nothing is tidied up."""


def _kill_after_the_commit(patch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise Killed

    patch.setattr(View, "show", killed)


@pytest.fixture
def killed(command: Cli, tmp_path: Path) -> Path:
    """The run folder of a seed that was killed between its commit and everything after it."""
    with pytest.MonkeyPatch.context() as patch:
        _kill_after_the_commit(patch)
        with pytest.raises(Killed):
            command(*SEED)
    assert len(list((tmp_path / "store" / "log").iterdir())) == 1 and not (tmp_path / "store" / "current").exists()
    return (tmp_path / "outputs" / "latest").resolve()


def _shown(folder: Path) -> int:
    return len([path for path in (folder / "store" / "current").rglob("*") if path.is_file()])


def test_the_same_seed_again_says_that_it_is_published(command: Cli, tmp_path: Path, killed: Path) -> None:
    again = command(*SEED)
    assert again.code == 0 and "Exactly this change is published already, as revision 00000001-" in again.out, (
        again.text
    )
    assert killed.name in again.out and "nothing was generated" in again.out
    assert _shown(tmp_path) == 2 and len(list((tmp_path / "store" / "log").iterdir())) == 1
    assert command("op=check_ssim", "engine=mock").code == 0


def test_publishing_it_says_so_too(command: Cli, tmp_path: Path, killed: Path) -> None:
    published = command("op=publish", f"run={killed}", "op.confirm=upload")
    assert published.code == 0 and "Exactly this change is published already" in published.out, published.text
    assert _shown(tmp_path) == 2
    assert json.loads((killed / "change.json").read_text())["applied"].startswith("00000001-")
    shutil.rmtree(tmp_path / "store" / "current")
    once_more = command("op=publish", f"run={killed}", "op.confirm=upload")
    assert once_more.code == 0 and "Already published as revision" in once_more.out and _shown(tmp_path) == 2


def test_another_seed_is_refused_as_ever(command: Cli, tmp_path: Path, killed: Path) -> None:
    assert command(*SEED, "prompt=first").code == 0
    refused = command(*SEED, "prompt=first")
    assert refused.code == 2 and "already in the store" in refused.text, refused.text
    (killed / "change.json").unlink()
    refused = command(*SEED)
    assert refused.code == 2 and "already in the store" in refused.text, refused.text


def test_what_was_prepared_and_never_published_is_no_excuse(command: Cli, tmp_path: Path) -> None:
    assert command("op=seed_ssim", "engine=mock").code == 0
    assert command(*SEED).code == 0
    refused = command(*SEED)
    assert refused.code == 2 and "already in the store" in refused.text, refused.text


def test_the_view_is_brought_up_to_date_without_a_commit(command: Cli, tmp_path: Path, killed: Path) -> None:
    from fvhydra.config.store import LocalStoreConfig

    store = LocalStore(LocalStoreConfig(_target_="", name="local", path=str(tmp_path / "store")))
    head = store.head()
    store.refresh()
    assert _shown(tmp_path) == 2 and store.head() == head
