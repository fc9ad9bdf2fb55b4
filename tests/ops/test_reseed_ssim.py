# SPDX-License-Identifier: Apache-2.0
"""``op=reseed_ssim``: references move deliberately, reviewed, in one commit; what did not move stays as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fvhydra.config.store import LocalStoreConfig
from fvhydra.stores.local import LocalStore
from tests.conftest import Cli, run_at_terminal
from tests.ops.folders import latest_of, store_of, tree_of

MOCK = ("engine=mock",)
WAN = ("engine=mock", "model=wan21_t2v_1_3b")
BOTH = "op.confirm=[confirm reseed, upload]"
# another kernel: the same recipe, other pixels
MOVED = "tier.perturb_weights=0.5"
ACCEPT = "op.accept=undisturbed_weights"
RESEED = ("op=reseed_ssim", "op.reason=why", "op.confirm=[confirm reseed, upload]")


def test_a_reason_and_a_reference_are_required(cli: Cli, tmp_path: Path) -> None:
    for none in ("", "..."):
        command = cli("op=reseed_ssim", *MOCK, f"op.reason={none}")
        assert command.code == 2 and f"op.reason={none!r}: must say why" in command.text
    command = cli("op=reseed_ssim", *MOCK, "op.reason=FA3, at last")
    assert command.code == 2 and "nothing to replace" in command.text and "op=seed_ssim" in command.text
    assert not (tmp_path / "outputs").exists() and not (tmp_path / "store").exists()


def test_reseeding_is_one_commit_with_backup_comparison_and_a_way_back(cli: Cli, tmp_path: Path) -> None:
    cli("op=seed_ssim", *WAN, "op.confirm=upload")
    cli("op=seed_ssim", *MOCK, "op.confirm=upload")
    before = tree_of(tmp_path)
    reason = "op.reason=FA3 kernel upgrade"
    command = cli("op=reseed_ssim", *WAN, MOVED, ACCEPT, reason, BOTH)
    assert command.code == 0, command.text
    after = tree_of(tmp_path)
    changed = {path for path in after if after[path] != before.get(path)}
    assert set(after) == set(before) and all("Wan2.1" in path for path in changed) and len(changed) == 4
    [entry, *_] = store_of(tmp_path).log()
    assert set(entry.paths) == changed and entry.provenance["reason"] == "FA3 kernel upgrade"

    run = (tmp_path / "outputs" / "latest").resolve()
    provenance = json.loads((run / "backup" / "PROVENANCE.json").read_text())
    assert provenance["reason"] == "FA3 kernel upgrade" and len(provenance["files"]) == 2
    assert len(list((run / "backup").rglob("*.mp4"))) == 2
    first = latest_of(tmp_path)["cases"][0]
    assert first["comparison"]["mean_ssim"] < 0.93 and first["reference"] and first["artifact"]
    for part in ("op=restore", "FA3 kernel upgrade", "- [ ] Backup", "mean MS-SSIM", entry.revision):
        assert part in command.out
    page = (run / "report" / "index.html").read_text()
    assert "before" in page and "after" in page

    assert cli("op=check_ssim", *WAN, MOVED).code == 0
    assert [entry["kind"] for entry in latest_of(tmp_path)["cases"][0]["history"]] == ["reseed", "seed"]
    page = (tmp_path / "outputs" / "latest" / "report" / "index.html").read_text()
    assert "comes from" in page and "FA3 kernel upgrade" in page
    assert cli("op=check_ssim", *WAN).code == 1

    restored = cli("op=restore", *WAN, f"run={run}", "op.confirm=upload")
    assert restored.code == 0, restored.text
    assert tree_of(tmp_path) == before
    assert cli("op=check_ssim", *WAN).code == 0
    again = cli("op=restore", *WAN, f"run={run}")
    assert again.code == 2 and "nothing to restore" in again.text

    log = cli("op=log", *WAN)
    assert [kind in log.out for kind in ("seed:", "reseed:", "restore:")] == [True] * 3
    assert "LTX2" not in log.out and "LTX2" in cli("op=log", "op.every_model=true").out


def test_two_steps_without_a_terminal(cli: Cli, tmp_path: Path) -> None:
    cli("op=seed_ssim", *MOCK, "op.confirm=upload")
    before = tree_of(tmp_path)
    prepared = cli("op=reseed_ssim", *MOCK, MOVED, ACCEPT, "op.reason=why")
    assert prepared.code == 0 and tree_of(tmp_path) == before
    run = (tmp_path / "outputs" / "latest").resolve()
    assert cli("op=publish", f"run={run}", "op.confirm=upload").code == 2
    assert tree_of(tmp_path) == before, "half of what must be said is not enough"
    assert cli("op=publish", f"run={run}", BOTH).code == 0
    assert tree_of(tmp_path) != before


FIRST, THEN = ("'confirm reseed'", "confirm reseed\n"), ("'upload'", "upload\n")


@pytest.mark.parametrize(("answers", "moved"), [([FIRST, THEN], True), ([(FIRST[0], "upload\n")], False)])
def test_at_a_terminal_it_asks_twice(
    cli: Cli, tmp_path: Path, cache_dir: Path, answers: list[tuple[str, str]], moved: bool
) -> None:
    cli("op=seed_ssim", *MOCK, "op.confirm=upload")
    before = tree_of(tmp_path)
    words = ("op=reseed_ssim", *MOCK, MOVED, ACCEPT, "op.reason=why")
    command = run_at_terminal(tmp_path, cache_dir, words, answers)
    assert command.code == 0, command.out
    assert (tree_of(tmp_path) != before) is moved, command.out
    assert ("Not confirmed" in command.out) is not moved


def test_a_store_that_moved_on_the_same_paths_is_refused(cli: Cli, tmp_path: Path) -> None:
    cli("op=seed_ssim", *MOCK, "op.confirm=upload")
    cli("op=reseed_ssim", *MOCK, "tier.perturb_weights=0.3", ACCEPT, "op.reason=mine")
    mine = (tmp_path / "outputs" / "latest").resolve()
    assert cli("op=reseed_ssim", *MOCK, MOVED, ACCEPT, "op.reason=theirs", BOTH).code == 0
    theirs = tree_of(tmp_path)
    command = cli("op=publish", f"run={mine}", BOTH)
    assert command.code == 2 and "changed the same files" in command.text and "Re-seed" in command.text
    assert tree_of(tmp_path) == theirs


def _commits(folder: Path) -> int:
    return len(list((folder / "store" / "log").iterdir()))


@pytest.mark.parametrize("model", ["wan21_t2v_1_3b", "ltx2"])
def test_a_re_seed_that_changes_nothing_says_so_and_publishes_nothing(command: Cli, tmp_path: Path, model: str) -> None:
    words = ("engine=mock", f"model={model}")
    assert command("op=seed_ssim", *words, "op.confirm=upload").code == 0
    before = tree_of(tmp_path)
    count = len(before) // 2
    done = command(*RESEED, *words)
    assert done.code == 0 and f"Nothing moved: {count} of {count} within 1e-06" in done.out, done.text
    assert "Published" not in done.out and "op=publish" not in done.out
    assert tree_of(tmp_path) == before and _commits(tmp_path) == 1, "sidecars are not rewritten"
    latest = tmp_path / "outputs" / "latest"
    assert not (latest / "change.json").exists() and (latest / "report" / "index.html").is_file()
    result = json.loads((latest / "result.json").read_text())
    assert [case["planned"] for case in result["cases"]] == ["stays as it is"] * count
    refused = command("op=publish", "run=outputs/latest", RESEED[2])
    assert refused.code == 2 and "no prepared change" in refused.text


def test_only_what_moved_is_replaced(command: Cli, tmp_path: Path) -> None:
    words = ("engine=mock", "model=wan21_t2v_1_3b")
    assert command("op=seed_ssim", *words, "op.confirm=upload").code == 0
    # one of the two references was made by something else
    other = command("op=reseed_ssim", *words, "prompt_index=1", "tier.perturb_weights=0.5", *RESEED[1:],
                    "op.accept=undisturbed_weights")  # fmt: skip
    assert other.code == 0, other.text
    before = tree_of(tmp_path)
    done = command(*RESEED, *words)
    assert done.code == 0 and "1 of 2 did not move" in done.out and "Published 2 file(s)" in done.out, done.text
    after = tree_of(tmp_path)
    changed = {path for path in after if after[path] != before[path]}
    assert len(changed) == 2 and all("A lone hiker" in path for path in changed), changed


def test_another_recipe_is_written_down_even_if_nothing_moved(command: Cli, tmp_path: Path) -> None:
    """Else each later check would call it another recipe."""
    words = ("engine=mock", "model=wan21_t2v_1_3b", "prompt_index=0")
    assert command("op=seed_ssim", *words, "op.confirm=upload").code == 0
    store = LocalStore(LocalStoreConfig(_target_="", name="local", path=str(tmp_path / "store")))
    [sidecar] = [path for path in store.files() if path.endswith(".json")]
    said = json.loads(store.fetch([sidecar], tmp_path / "to")[sidecar].read_text())
    said["recipe"]["sampling"] = {}
    said["fingerprint"] = "0" * 64
    store.commit({sidecar: json.dumps(said).encode()}, message="by hand")
    done = command(*RESEED, *words)
    assert done.code == 0 and "Published 2 file(s)" in done.out, done.text
    assert command("op=check_ssim", *words).code == 0


def test_a_reference_without_a_sidecar_gets_one_even_if_nothing_moved(command: Cli, tmp_path: Path) -> None:
    words = ("engine=mock", "model=wan21_t2v_1_3b", "prompt_index=0")
    assert command("op=seed_ssim", *words, "op.confirm=upload").code == 0
    store = LocalStore(LocalStoreConfig(_target_="", name="local", path=str(tmp_path / "store")))
    store.commit(deletes=[path for path in store.files() if path.endswith(".json")], message="as other tools leave it")
    done = command(*RESEED, *words)
    assert done.code == 0 and "Published 2 file(s)" in done.out, done.text
    assert command("op=check_ssim", *words).code == 0
