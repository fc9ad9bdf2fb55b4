# SPDX-License-Identifier: Apache-2.0
"""Going back, and what is said of the references that are put back."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from fvhydra.stores.local import LocalStore
from tests.conftest import Cli
from tests.ops.folders import store_of, tree_of

MOCK = ("engine=mock",)
BOTH = "op.confirm=[confirm reseed, upload]"
# another kernel: the same recipe, other pixels
MOVED = "tier.perturb_weights=0.5"
ACCEPT = "op.accept=undisturbed_weights"
DELETE = "op.confirm=[confirm delete, upload]"
WAN = ("engine=mock", "model=wan21_t2v_1_3b")


def _without_sidecars(store: LocalStore) -> None:
    """As other tools leave references: nothing says how they were made."""
    store.commit(deletes=[path for path in store.files() if path.endswith(".json")], message="by hand")


@pytest.mark.parametrize("sidecars", [True, False])
@pytest.mark.parametrize("op", ["restore", "promote"])
def test_a_seed_that_nobody_knows_is_null_and_one_that_is_known_is_not(
    command: Cli, tmp_path: Path, op: str, sidecars: bool
) -> None:
    draft = ["op.draft=true"] if op == "promote" else []
    assert command("op=seed_ssim", *WAN, *draft, "op.confirm=upload").code == 0
    store = store_of(tmp_path)
    if not sidecars:
        _without_sidecars(store)
    undo = []
    if op == "restore":
        undo = [f"op.revision={store.head()}"]
        store.commit(deletes=list(store.files()), message="by hand")
    shown = command(f"op={op}", *WAN, *undo)
    assert shown.code == 0, shown.text
    latest = tmp_path / "outputs" / "latest"
    cases = json.loads((latest / "result.json").read_text())["cases"]
    seed = 1024 if sidecars else None
    assert [case["seed"] for case in cases] == [seed, seed]
    page, summary = ((latest / "report" / name).read_text() for name in ("index.html", "summary.md"))
    names = [case.get("name") for case in ET.parse(latest / "report" / "junit.xml").iter("testcase")]
    if sidecars:
        assert "case 0, seed 1024: done" in shown.out and "seed 1024" in page and "| 1024 |" in summary
        assert names[0].startswith("#0 seed 1024: ")
    else:
        everything = "".join((shown.out, page, summary, *names))
        assert "case 0: done" in shown.out and names[0].startswith("#0: ")
        assert "seed 0" not in everything and "seed None" not in everything and "None |" not in everything


@pytest.mark.slow
def test_restore_to_a_revision(cli: Cli, tmp_path: Path) -> None:
    cli("op=seed_ssim", *MOCK, "op.confirm=upload")
    revision, before = store_of(tmp_path).head(), tree_of(tmp_path)
    cli("op=reseed_ssim", *MOCK, MOVED, ACCEPT, "op.reason=why", BOTH)
    cli("op=seed_ssim", *MOCK, "prompt=another", "op.confirm=upload")
    command = cli("op=restore", *MOCK, f"op.revision={revision}", DELETE)
    assert command.code == 0, command.text
    assert tree_of(tmp_path) == before
    assert cli("op=restore", *MOCK).code == 2
    assert "op=log" in cli("op=restore", *MOCK).text
    assert cli("op=restore", *MOCK, "op.revision=nonsense").code in (2, 4)


def test_a_seed_can_be_undone(cli: Cli, tmp_path: Path) -> None:
    cli("op=seed_ssim", *MOCK, "op.confirm=upload")
    run = (tmp_path / "outputs" / "latest").resolve()
    added = sorted(tree_of(tmp_path))
    for words in (("op.confirm=upload",), ()):  # the first is not enough
        command = cli("op=restore", *MOCK, f"run={run}", *words)
        assert (command.code, len(tree_of(tmp_path))) == (2 if words else 0, len(added)), command.text
    for path in added:
        assert f"Deletes {path}" in command.out
        assert f"Deletes {path}" in (tmp_path / "outputs" / "latest" / "report" / "index.html").read_text()
    assert cli("op=restore", *MOCK, f"run={run}", DELETE).code == 0
    assert tree_of(tmp_path) == {}
