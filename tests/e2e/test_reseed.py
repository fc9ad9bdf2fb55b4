# SPDX-License-Identifier: Apache-2.0
"""Moving approved references: deliberately, reviewed, in one commit, and back again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fvhydra.config.store import LocalStoreConfig
from fvhydra.stores.local import LocalStore
from tests.conftest import Cli, run_at_terminal

MOCK = ("engine=mock",)
WAN = ("engine=mock", "model=wan21_t2v_1_3b")
BOTH = "op.confirm=[confirm reseed, upload]"
# another kernel: the same recipe, other pixels
MOVED = "tier.perturb_weights=0.5"
ACCEPT = "op.accept=undisturbed_weights"


def _store(folder: Path) -> LocalStore:
    return LocalStore(LocalStoreConfig(_target_="", name="local", path=str(folder / "store")))


def _tree(folder: Path) -> dict[str, str]:
    return {path: entry.digest for path, entry in _store(folder).files().items()}


def _latest(folder: Path) -> dict:
    return json.loads((folder / "outputs" / "latest" / "result.json").read_text())


def test_a_reason_and_a_reference_are_required(cli: Cli, tmp_path: Path) -> None:
    command = cli("op=reseed_ssim", *MOCK)
    assert command.code == 2 and "needs a reason" in command.text
    command = cli("op=reseed_ssim", *MOCK, "op.reason=FA3, at last")
    assert command.code == 2 and "nothing to replace" in command.text and "op=seed_ssim" in command.text
    assert not (tmp_path / "outputs").exists() and not (tmp_path / "store").exists()


def test_reseeding_is_one_commit_with_backup_comparison_and_a_way_back(cli: Cli, tmp_path: Path) -> None:
    cli("op=seed_ssim", *WAN, "op.confirm=upload")
    cli("op=seed_ssim", *MOCK, "op.confirm=upload")
    before = _tree(tmp_path)
    reason = "op.reason=FA3 kernel upgrade"
    command = cli("op=reseed_ssim", *WAN, MOVED, ACCEPT, reason, BOTH)
    assert command.code == 0, command.text
    after = _tree(tmp_path)
    changed = {path for path in after if after[path] != before.get(path)}
    assert set(after) == set(before) and all("Wan2.1" in path for path in changed) and len(changed) == 4
    [entry, *_] = _store(tmp_path).log()
    assert set(entry.paths) == changed and entry.provenance["reason"] == "FA3 kernel upgrade"

    run = (tmp_path / "outputs" / "latest").resolve()
    provenance = json.loads((run / "backup" / "PROVENANCE.json").read_text())
    assert provenance["reason"] == "FA3 kernel upgrade" and len(provenance["files"]) == 2
    assert len(list((run / "backup").rglob("*.mp4"))) == 2
    first = _latest(tmp_path)["cases"][0]
    assert first["comparison"]["mean_ssim"] < 0.93 and first["reference"] and first["artifact"]
    for part in ("op=restore", "FA3 kernel upgrade", "- [ ] Backup", "mean MS-SSIM", entry.revision):
        assert part in command.out
    page = (run / "report" / "index.html").read_text()
    assert "before" in page and "after" in page

    assert cli("op=check_ssim", *WAN, MOVED).code == 0
    assert [entry["kind"] for entry in _latest(tmp_path)["cases"][0]["history"]] == ["reseed", "seed"]
    page = (tmp_path / "outputs" / "latest" / "report" / "index.html").read_text()
    assert "comes from" in page and "FA3 kernel upgrade" in page
    assert cli("op=check_ssim", *WAN).code == 1

    restored = cli("op=restore", *WAN, f"run={run}", "op.confirm=upload")
    assert restored.code == 0, restored.text
    assert _tree(tmp_path) == before
    assert cli("op=check_ssim", *WAN).code == 0
    again = cli("op=restore", *WAN, f"run={run}")
    assert again.code == 2 and "nothing to restore" in again.text

    log = cli("op=log", *WAN)
    assert [kind in log.out for kind in ("seed:", "reseed:", "restore:")] == [True] * 3
    assert "LTX2" not in log.out and "LTX2" in cli("op=log", "op.every_model=true").out


def test_two_steps_without_a_terminal(cli: Cli, tmp_path: Path) -> None:
    cli("op=seed_ssim", *MOCK, "op.confirm=upload")
    before = _tree(tmp_path)
    prepared = cli("op=reseed_ssim", *MOCK, MOVED, ACCEPT, "op.reason=why")
    assert prepared.code == 0 and _tree(tmp_path) == before
    run = (tmp_path / "outputs" / "latest").resolve()
    assert cli("op=publish", f"run={run}", "op.confirm=upload").code == 2
    assert _tree(tmp_path) == before, "half of what must be said is not enough"
    assert cli("op=publish", f"run={run}", BOTH).code == 0
    assert _tree(tmp_path) != before


DELETE = "op.confirm=[confirm delete, upload]"
FIRST, THEN = ("'confirm reseed'", "confirm reseed\n"), ("'upload'", "upload\n")


@pytest.mark.parametrize(("answers", "moved"), [([FIRST, THEN], True), ([(FIRST[0], "upload\n")], False)])
def test_at_a_terminal_it_asks_twice(
    cli: Cli, tmp_path: Path, cache_dir: Path, answers: list[tuple[str, str]], moved: bool
) -> None:
    cli("op=seed_ssim", *MOCK, "op.confirm=upload")
    before = _tree(tmp_path)
    words = ("op=reseed_ssim", *MOCK, MOVED, ACCEPT, "op.reason=why")
    command = run_at_terminal(tmp_path, cache_dir, words, answers)
    assert command.code == 0, command.out
    assert (_tree(tmp_path) != before) is moved, command.out
    assert ("Not confirmed" in command.out) is not moved


def test_a_store_that_moved_on_the_same_paths_is_refused(cli: Cli, tmp_path: Path) -> None:
    cli("op=seed_ssim", *MOCK, "op.confirm=upload")
    cli("op=reseed_ssim", *MOCK, "tier.perturb_weights=0.3", ACCEPT, "op.reason=mine")
    mine = (tmp_path / "outputs" / "latest").resolve()
    assert cli("op=reseed_ssim", *MOCK, MOVED, ACCEPT, "op.reason=theirs", BOTH).code == 0
    theirs = _tree(tmp_path)
    command = cli("op=publish", f"run={mine}", BOTH)
    assert command.code == 2 and "changed the same files" in command.text and "Re-seed" in command.text
    assert _tree(tmp_path) == theirs


@pytest.mark.slow
def test_restore_to_a_revision(cli: Cli, tmp_path: Path) -> None:
    cli("op=seed_ssim", *MOCK, "op.confirm=upload")
    revision, before = _store(tmp_path).head(), _tree(tmp_path)
    cli("op=reseed_ssim", *MOCK, MOVED, ACCEPT, "op.reason=why", BOTH)
    cli("op=seed_ssim", *MOCK, "prompt=another", "op.confirm=upload")
    command = cli("op=restore", *MOCK, f"op.revision={revision}", DELETE)
    assert command.code == 0, command.text
    assert _tree(tmp_path) == before
    assert cli("op=restore", *MOCK).code == 2
    assert "op=log" in cli("op=restore", *MOCK).text
    assert cli("op=restore", *MOCK, "op.revision=nonsense").code in (2, 4)


def test_a_seed_can_be_undone(cli: Cli, tmp_path: Path) -> None:
    cli("op=seed_ssim", *MOCK, "op.confirm=upload")
    run = (tmp_path / "outputs" / "latest").resolve()
    added = sorted(_tree(tmp_path))
    for words in (("op.confirm=upload",), ()):  # the first is not enough
        command = cli("op=restore", *MOCK, f"run={run}", *words)
        assert (command.code, len(_tree(tmp_path))) == (2 if words else 0, len(added)), command.text
    for path in added:
        assert f"Deletes {path}" in command.out
        assert f"Deletes {path}" in (tmp_path / "outputs" / "latest" / "report" / "index.html").read_text()
    assert cli("op=restore", *MOCK, f"run={run}", DELETE).code == 0
    assert _tree(tmp_path) == {}


def test_drafts_gate_nothing_until_they_are_promoted(cli: Cli, tmp_path: Path) -> None:
    assert cli("op=promote", *WAN).code == 2
    assert cli("op=seed_ssim", *WAN, "op.draft=true", "op.confirm=upload").code == 0
    assert all(path.startswith("drafts/smoke/CPU_reference_videos/Wan2.1") for path in _tree(tmp_path))
    assert cli("op=check_ssim", *WAN).code == 3
    drafts = _tree(tmp_path)
    prepared = cli("op=promote", *WAN)
    assert prepared.code == 0 and _tree(tmp_path) == drafts
    promoted = cli("op=promote", *WAN, "op.confirm=upload")
    assert promoted.code == 0, promoted.text
    expected = {path.replace("drafts/", "reference_videos/", 1): digest for path, digest in drafts.items()}
    assert _tree(tmp_path) == expected
    assert len([entry for entry in _store(tmp_path).log() if entry.paths]) == 2
    assert cli("op=check_ssim", *WAN).code == 0
    assert cli("op=seed_ssim", *WAN, "op.draft=true").code == 2


def test_promoting_never_replaces_a_reference(cli: Cli, tmp_path: Path) -> None:
    cli("op=seed_ssim", *WAN, "op.draft=true", "op.confirm=upload")
    store = _store(tmp_path)
    draft = next(path for path in store.files() if path.endswith(".mp4"))
    store.commit({draft.replace("drafts/", "reference_videos/", 1): b"approved"}, message="by hand")
    before = _tree(tmp_path)
    command = cli("op=promote", *WAN, "op.confirm=upload")
    assert command.code == 2 and "already in the store" in command.text and _tree(tmp_path) == before


def test_ci_bootstraps_drafts_and_still_fails(cli: Cli, tmp_path: Path) -> None:
    cli("op=seed_ssim", *WAN, "prompt_index=0", "op.confirm=upload")
    command = cli("op=check_ssim", *WAN, "op.bootstrap=true")
    assert command.code == 3, command.text
    drafts = [path for path in _tree(tmp_path) if path.startswith("drafts/")]
    assert len(drafts) == 2 and all("A lone hiker" in path for path in drafts)
    assert [case["verdict"] for case in _latest(tmp_path)["cases"]] == ["pass", "no_reference"]
    assert cli("op=check_ssim", *WAN, "op.bootstrap=true").code == 3, "the draft stays"
    assert cli("op=promote", *WAN, "op.confirm=upload").code == 0
    assert cli("op=check_ssim", *WAN).code == 0
