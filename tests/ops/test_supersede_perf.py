# SPDX-License-Identifier: Apache-2.0
"""``op=supersede_perf``: a bad record leaves the baseline by a reviewed change, and stays readable in the history."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.ops.folders import latest_of, store_of, tree_of
from tests.performance.making import local_store, record

BOTH = "op.confirm=[confirm delete, upload]"
REASON = "op.reason=another job used the GPU"


def _path(day: int) -> str:
    return f"toy-1gpu/2026-02-{day:02}T00_00_00_00_00_{day:040x}.json"


def test_a_record_is_taken_out_and_comes_back(command: Cli, tmp_path: Path) -> None:
    store = local_store(tmp_path / "store", [record(1), record(2, latency=20.0), record(3, latency=20.0)])
    before, revision = tree_of(tmp_path), store.head()
    shown = command("op=supersede_perf", f"record={_path(2)}", REASON)
    assert shown.code == 0 and f"Deletes {_path(2)}" in shown.out and tree_of(tmp_path) == before, shown.text
    done = command("op=supersede_perf", f"record=[{_path(2)},{_path(3)}]", REASON, BOTH)
    assert done.code == 0 and set(tree_of(tmp_path)) == {_path(1)}, done.text
    [move] = latest_of(tmp_path)["baselines"]
    assert (move["metrics"][0]["before"], move["metrics"][0]["after"]) == (20.0, 10.0)
    assert set(store.files("", revision)) == set(before), "the history has it still"
    [entry] = store.log()[:1]
    assert entry.provenance["reason"] == "another job used the GPU" and set(entry.provenance["superseded"]) == set(
        entry.paths
    )
    run = (tmp_path / "outputs" / "latest").resolve()
    assert (run / "backup" / _path(2)).is_file() and "another job" in (run / "backup" / "PROVENANCE.txt").read_text()
    assert command("op=restore", f"run={run}", "op.confirm=upload").code == 0
    assert tree_of(tmp_path) == before


def test_a_file_that_is_no_record_can_be_taken_out_too(command: Cli, tmp_path: Path) -> None:
    local_store(tmp_path / "store", [record(1)], **{"toy-1gpu/broken.json": b"<html>"})
    done = command("op=supersede_perf", "record=toy-1gpu/broken.json", REASON, BOTH)
    assert done.code == 0 and set(tree_of(tmp_path)) == {_path(1)}, done.text
    assert latest_of(tmp_path)["baselines"] == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("record=", REASON), "has no record"),
        ((REASON,), "needs record="),
        ((f"record={_path(1)}",), "op.reason='': must say why"),
        ((f"record={_path(1)}", "op.reason=..."), "op.reason='...': must say why"),
        ((f"record={_path(1)[:-6]}7.json", REASON), "Did you mean"),
        (("record=README.md", REASON), "has no record README.md"),
        ((f"record={_path(1)}", REASON, "op.confirm=upload"), "is not what confirms this change"),
        ((f"record={_path(1)}", REASON, "op.confirm=[confirm delet, upload]"), "is not what confirms this change"),
    ],
)
def test_stops(command: Cli, tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    local_store(tmp_path / "store", [record(1)], **{"README.md": b"hello"})
    before = tree_of(tmp_path)
    refused = command("op=supersede_perf", *words)
    assert refused.code == 2 and says in refused.text, refused.text
    assert tree_of(tmp_path) == before and not (tmp_path / "outputs").exists()


def test_somebody_who_took_it_out_meanwhile_is_named(command: Cli, tmp_path: Path) -> None:
    local_store(tmp_path / "store", [record(1), record(2)])
    assert command("op=supersede_perf", f"record={_path(1)}", REASON).code == 0
    store_of(tmp_path).commit(deletes=[_path(1)], message="theirs", provenance={"who": "bob"})
    refused = command("op=publish", "run=outputs/latest", BOTH)
    assert refused.code == 2 and "bob changed the same files" in refused.text and set(tree_of(tmp_path)) == {_path(2)}
