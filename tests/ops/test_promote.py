# SPDX-License-Identifier: Apache-2.0
"""``op=promote``: drafts become references when a person moves them."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Cli
from tests.ops.folders import store_of, tree_of

WAN = ("engine=mock", "model=wan21_t2v_1_3b")


def test_drafts_gate_nothing_until_they_are_promoted(cli: Cli, tmp_path: Path) -> None:
    assert cli("op=promote", *WAN).code == 2
    assert cli("op=seed_ssim", *WAN, "op.draft=true", "op.confirm=upload").code == 0
    assert all(path.startswith("drafts/smoke/CPU_reference_videos/Wan2.1") for path in tree_of(tmp_path))
    assert cli("op=check_ssim", *WAN).code == 3
    drafts = tree_of(tmp_path)
    prepared = cli("op=promote", *WAN)
    assert prepared.code == 0 and tree_of(tmp_path) == drafts
    promoted = cli("op=promote", *WAN, "op.confirm=upload")
    assert promoted.code == 0, promoted.text
    expected = {path.replace("drafts/", "reference_videos/", 1): digest for path, digest in drafts.items()}
    assert tree_of(tmp_path) == expected
    assert len([entry for entry in store_of(tmp_path).log() if entry.paths]) == 2
    assert cli("op=check_ssim", *WAN).code == 0
    assert cli("op=seed_ssim", *WAN, "op.draft=true").code == 2


def test_promoting_never_replaces_a_reference(cli: Cli, tmp_path: Path) -> None:
    cli("op=seed_ssim", *WAN, "op.draft=true", "op.confirm=upload")
    store = store_of(tmp_path)
    draft = next(path for path in store.files() if path.endswith(".mp4"))
    store.commit({draft.replace("drafts/", "reference_videos/", 1): b"approved"}, message="by hand")
    before = tree_of(tmp_path)
    command = cli("op=promote", *WAN, "op.confirm=upload")
    assert command.code == 2 and "already in the store" in command.text and tree_of(tmp_path) == before
