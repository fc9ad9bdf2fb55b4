# SPDX-License-Identifier: Apache-2.0
"""A re-seed that changes nothing says so, and what did not move stays as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fvhydra.config.store import LocalStoreConfig
from fvhydra.stores.local import LocalStore
from tests.conftest import Cli

RESEED = ("op=reseed_ssim", "op.reason=why", "op.confirm=[confirm reseed, upload]")


def _tree(folder: Path) -> dict[str, str]:
    store = LocalStore(LocalStoreConfig(_target_="", name="local", path=str(folder / "store")))
    return {path: entry.digest for path, entry in store.files().items()}


def _commits(folder: Path) -> int:
    return len(list((folder / "store" / "log").iterdir()))


@pytest.mark.parametrize("model", ["wan21_t2v_1_3b", "ltx2"])
def test_a_re_seed_that_changes_nothing_says_so_and_publishes_nothing(command: Cli, tmp_path: Path, model: str) -> None:
    words = ("engine=mock", f"model={model}")
    assert command("op=seed_ssim", *words, "op.confirm=upload").code == 0
    before = _tree(tmp_path)
    count = len(before) // 2
    done = command(*RESEED, *words)
    assert done.code == 0 and f"Nothing moved: {count} of {count} within 1e-06" in done.out, done.text
    assert "Published" not in done.out and "op=publish" not in done.out
    assert _tree(tmp_path) == before and _commits(tmp_path) == 1, "sidecars are not rewritten"
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
    before = _tree(tmp_path)
    done = command(*RESEED, *words)
    assert done.code == 0 and "1 of 2 did not move" in done.out and "Published 2 file(s)" in done.out, done.text
    after = _tree(tmp_path)
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
