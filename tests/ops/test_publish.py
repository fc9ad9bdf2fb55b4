# SPDX-License-Identifier: Apache-2.0
"""Every write to a store is a reviewed change: prepared, confirmed with the exact phrase, applied once."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fvhydra.config.store import LocalStoreConfig
from fvhydra.stores.local import LocalStore
from tests.conftest import Cli, run_at_terminal, run_cli

SEED = ("op=seed_ssim", "engine=mock")


def _references(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "store" / "current").rglob("*.pt"))


def test_without_a_terminal_the_change_is_left_prepared(cli: Cli, tmp_path: Path) -> None:
    seeded = cli(*SEED)
    assert seeded.code == 0 and not (tmp_path / "store").exists()
    [command] = [line.strip() for line in seeded.out.splitlines() if "op=publish" in line]
    assert command.startswith("python -m fvhydra op=publish run=") and command.endswith("op.confirm=upload")
    published = cli(*command.split()[3:])
    assert published.code == 0 and "Published 2 file(s)" in published.out
    assert len(_references(tmp_path)) == 1


def test_a_wrong_phrase_is_refused_before_anything_is_made(cli: Cli, tmp_path: Path) -> None:
    command = cli(*SEED, "op.confirm=uplaod")
    assert command.code == 2 and "Say it exactly: op.confirm=upload" in command.text, command.text
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "home") == []


@pytest.mark.parametrize(("typed", "published"), [("upload\n", True), ("no\n", False), ("\x04", False)])
def test_at_a_terminal_it_asks(tmp_path: Path, cache_dir: Path, typed: str, published: bool) -> None:
    command = run_at_terminal(tmp_path, cache_dir, SEED, [("Type exactly 'upload'", typed)])
    assert command.code == 0, command.out
    assert "pass  format_version" in command.out and "report:" in command.out
    assert ("Published" in command.out) is published and bool(_references(tmp_path)) is published


def test_a_file_touched_after_the_review_is_refused(cli: Cli, tmp_path: Path) -> None:
    cli(*SEED)
    [artifact] = (tmp_path / "outputs" / "latest" / "artifacts").rglob("*.pt")
    data = bytearray(artifact.read_bytes())
    data[len(data) // 2] ^= 1
    artifact.write_bytes(data)
    command = cli("op=publish", "run=outputs/latest", "op.confirm=upload")
    assert command.code == 2 and "changed after the review" in command.text
    artifact.unlink()
    command = cli("op=publish", "run=outputs/latest", "op.confirm=upload")
    assert command.code == 2 and "is missing now" in command.text
    assert not (tmp_path / "store").exists()


def test_a_moved_run_folder_can_be_published(cli: Cli, tmp_path: Path) -> None:
    cli(*SEED)
    shutil.copytree((tmp_path / "outputs" / "latest").resolve(), tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "outputs")
    assert cli("op=publish", "run=elsewhere", "op.confirm=upload").code == 0
    assert len(_references(tmp_path)) == 1


def test_publishing_twice_is_one_commit(cli: Cli, tmp_path: Path) -> None:
    cli(*SEED)
    run = (tmp_path / "outputs" / "latest").resolve()
    shutil.copytree(run, tmp_path / "copy")
    assert "Published" in cli("op=publish", f"run={run}", "op.confirm=upload").out
    assert "Already published" in cli("op=publish", f"run={run}", "op.confirm=upload").out
    # the copy does not know that it was applied: the operation id in the store's history does
    assert cli("op=publish", "run=copy", "op.confirm=upload").code == 0
    store = LocalStore(LocalStoreConfig(_target_="", name="local", path=str(tmp_path / "store")))
    assert len([entry for entry in store.log() if entry.paths]) == 1


def test_a_store_that_moved_on_other_paths_is_no_obstacle(cli: Cli, tmp_path: Path) -> None:
    cli(*SEED, "prompt=first")
    run = (tmp_path / "outputs" / "latest").resolve()
    assert cli(*SEED, "prompt=second", "op.confirm=upload").code == 0
    assert cli("op=publish", f"run={run}", "op.confirm=upload").code == 0
    assert _references(tmp_path) == ["first.pt", "second.pt"]


def test_a_path_that_was_taken_meanwhile_is_refused(cli: Cli, tmp_path: Path) -> None:
    cli(*SEED, "prompt=first")
    run = (tmp_path / "outputs" / "latest").resolve()
    assert cli(*SEED, "prompt=first", "op.confirm=upload").code == 0
    command = cli("op=publish", f"run={run}", "op.confirm=upload")
    assert command.code == 2 and "already in the store" in command.text and "first.pt" in command.text


def test_another_store_than_reviewed_is_refused(cli: Cli, tmp_path: Path) -> None:
    cli(*SEED)
    command = cli("op=publish", "run=outputs/latest", "op.confirm=upload", FVHYDRA_STORE=str(tmp_path / "other"))
    assert command.code == 2 and "prepared for the store" in command.text


def test_two_runs_at_once_into_the_same_store(tmp_path: Path, cache_dir: Path) -> None:
    with ThreadPoolExecutor(2) as both:
        ended = list(both.map(lambda _: run_cli(tmp_path, cache_dir, *SEED, "op.confirm=upload"), range(2)))
    assert sorted(command.code for command in ended) == [0, 2]
    [refused] = [command for command in ended if command.code == 2]
    assert "already in the store" in refused.text and "Traceback" not in refused.text
    assert len(_references(tmp_path)) == 1


def test_a_failing_criterion_blocks_until_it_is_accepted(cli: Cli, tmp_path: Path) -> None:
    narrow = "model.latent.std_max=0.5"
    command = cli(*SEED, narrow, "op.confirm=upload")
    assert command.code == 2 and "FAIL  std" in command.out and "op.accept=[std]" in command.text
    assert not (tmp_path / "store").exists()
    assert cli("op=publish", "run=outputs/latest", "op.confirm=upload").code == 2
    accepted = cli("op=publish", "run=outputs/latest", "op.confirm=upload", "op.accept=std")
    assert accepted.code == 0 and len(_references(tmp_path)) == 1


def test_a_change_from_a_tampered_record_cannot_leave_the_folder(cli: Cli, tmp_path: Path) -> None:
    cli(*SEED)
    record = tmp_path / "outputs" / "latest" / "change.json"
    change = json.loads(record.read_text())
    change["changes"][0]["file"] = "../../../../../etc/hostname"
    record.write_text(json.dumps(change))
    command = cli("op=publish", "run=outputs/latest", "op.confirm=upload")
    assert command.code == 2 and "tampered" in command.text
    assert not (tmp_path / "store").exists()


def test_a_change_does_what_its_kind_says_and_nothing_else(cli: Cli, tmp_path: Path) -> None:
    cli(*SEED)
    record = tmp_path / "outputs" / "latest" / "change.json"
    prepared = json.loads(record.read_text())
    for odd, says in (
        ({"kind": "draft"}, "writes below drafts/ only"),
        ({"deletes": ["reference_videos/smoke/CPU_reference_videos/m/b/c.pt"]}, "deletes nothing"),
    ):
        record.write_text(json.dumps(prepared | odd))
        command = cli("op=publish", "run=outputs/latest", "op.confirm=upload")
        assert command.code == 2 and "tampered" in command.text and says in command.text, command.text
    assert not (tmp_path / "store").exists()


def test_disturbed_weights_do_not_become_a_reference_unseen(cli: Cli, tmp_path: Path) -> None:
    command = cli(*SEED, "tier.perturb_weights=0.5", "op.confirm=upload")
    assert (
        command.code == 2
        and "FAIL  undisturbed_weights" in command.out
        and "op.accept=[undisturbed_weights]" in command.text
    )
    command = cli(*SEED, "tier=default", "gpu=l40s", "op.confirm=upload")
    assert command.code == 2 and "FAIL  real_engine" in command.out
    assert not (tmp_path / "store").exists()


def test_nothing_is_published_without_a_review_page(cli: Cli, tmp_path: Path) -> None:
    cli(*SEED)
    (tmp_path / "outputs" / "latest" / "report" / "index.html").unlink()
    command = cli("op=publish", "run=outputs/latest", "op.confirm=upload")
    assert command.code == 2 and "no review page" in command.text and not (tmp_path / "store").exists()


def test_the_page_says_when_it_is_published(cli: Cli, tmp_path: Path) -> None:
    cli(*SEED)
    page = tmp_path / "outputs" / "latest" / "report" / "index.html"
    assert "op=publish" in page.read_text()
    command = cli("op=publish", "run=outputs/latest", "op.confirm=upload")
    result = json.loads((tmp_path / "outputs" / "latest" / "result.json").read_text())
    assert result["change"]["published"] in command.out and result["change"]["published"] in page.read_text()


def test_ctrl_c_at_the_question_of_a_sweep_keeps_the_summary(tmp_path: Path, cache_dir: Path) -> None:
    words = ("-m", *SEED, "model=ltx2,stable_audio_open")
    question = "Type exactly 'upload'"
    # a signal that comes just before input() waits is noticed when the wait ends: hence the line end
    command = run_at_terminal(tmp_path, cache_dir, words, [(question, "upload\n"), (question, "\x03\n")])
    assert command.code == 130, command.out
    assert "2 job(s), worst: interrupted" in command.out and "Published" in command.out
    assert list((tmp_path / "multirun").rglob("report/index.html"))
