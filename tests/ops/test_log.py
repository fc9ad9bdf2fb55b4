# SPDX-License-Identifier: Apache-2.0
"""``op=log``: who moved which references when, and why; newest first."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Cli
from tests.ops.folders import store_of

WAN = "reference_videos/smoke/CPU_reference_videos/Wan2.1-T2V-1.3B-Diffusers/TORCH_SDPA"


def test_the_commits_of_a_model_or_of_all_the_newest_first(command: Cli, tmp_path: Path) -> None:
    store = store_of(tmp_path)
    store.commit({f"{WAN}/a.mp4": b"1"}, message="by hand")
    note = {"who": "Ada", "kind": "reseed", "reason": "a kernel"}
    moved = store.commit({f"{WAN}/a.mp4": b"2"}, message="Reseed 1 case", provenance=note)
    store.commit({WAN.replace("Diffusers/", "Diffusers-2/") + "/b.mp4": b"3"}, message="of another model")

    shown = command("op=log", "model=wan21_t2v_1_3b")
    assert shown.code == 0 and "2 commit(s)" in shown.out, shown.text
    assert f"{moved}  " in shown.out and "  Ada  reseed: Reseed 1 case" in shown.out
    assert "reason: a kernel" in shown.out and "another model" not in shown.out
    assert shown.out.index("Reseed 1 case") < shown.out.index("by hand")
    assert f"{WAN}/a.mp4" in shown.out

    everything = command("op=log", "model=ltx2", "op.every_model=true", "op.limit=1")
    assert "3 commit(s)" in everything.out and "another model" in everything.out and "Reseed" not in everything.out
    assert "0 commit(s)" in command("op=log", "model=ltx2").out
    assert not (tmp_path / "outputs").exists(), "it leaves no run folder"


def test_a_store_that_was_never_written_has_no_history(command: Cli, tmp_path: Path) -> None:
    shown = command("op=log")
    assert shown.code == 0 and "0 commit(s)" in shown.out, shown.text
    assert not (tmp_path / "store").exists()
