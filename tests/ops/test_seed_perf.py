# SPDX-License-Identifier: Apache-2.0
"""``op=seed_perf``: the first baseline of a new identity, out of scheduled runs that found none."""

from __future__ import annotations

from pathlib import Path

import pytest

from fvhydra.performance.history import read_history
from tests.conftest import Cli
from tests.ops.folders import store_of, tree_of
from tests.performance.making import local_store, record, with_identity
from tests.performance.test_reseeding import SCHEDULED
from tests.performance.test_sources import written

REASON = "op.reason=new container"


def test_one_source_leaves_calibration(command: Cli, tmp_path: Path) -> None:
    local_store(tmp_path / "store", [record(1), with_identity(2, software_profile_id="sw-0")])
    before = tree_of(tmp_path)
    [path] = written(tmp_path, with_identity(3, **SCHEDULED))
    done = command("op=seed_perf", f"op.source_result={path}", REASON, "op.confirm=upload")
    assert done.code == 0 and "becomes the median of these 1 record(s)" in done.out, done.text
    [added] = set(tree_of(tmp_path)) - set(before)
    assert added.endswith("_seed_01.json")
    history = read_history(store_of(tmp_path), tmp_path / "read")
    [made] = [each for each in history.records if each.path == added]
    assert history.baseline(made.target).records == (made,)
    again = command("op=seed_perf", f"op.source_result={path}", REASON, "op.confirm=upload")
    assert again.code == 2 and "has 1 record(s) of a baseline already" in again.text and "stale" in again.text


@pytest.mark.parametrize(
    ("fields", "given", "says"),
    [
        ({}, ("op.confirm=confirm performance reseed",), "is not what confirms this change"),
        ({}, ("op.reason=",), "op.reason='': must say why"),
        ({}, ("op.reason=...",), "op.reason='...': must say why"),
        ({}, ("op.model_id=other",), "not of op.model_id='other'"),
        ({"run_source": "pr"}, (), "run_source='pr'"),
        ({"recipe_fingerprint": "bb"}, (), "trusted with another recipe"),
        ({"workload_id": None}, (), "has no workload_id"),
    ],
)
def test_stops(command: Cli, tmp_path: Path, fields: dict[str, object], given: tuple[str, ...], says: str) -> None:
    trusted = with_identity(2, hardware_profile_id="hw-0")
    local_store(tmp_path / "store", [trusted])
    before = tree_of(tmp_path)
    [path] = written(tmp_path, with_identity(3, **{**SCHEDULED, **fields}))
    refused = command("op=seed_perf", f"op.source_result={path}", REASON, *given)
    assert refused.code == 2 and says in refused.text, refused.text
    assert tree_of(tmp_path) == before and not (tmp_path / "outputs" / "latest").exists()


def test_two_of_one_build_are_one(command: Cli, tmp_path: Path) -> None:
    paths = written(tmp_path, *(with_identity(day, **SCHEDULED, build_id="7") for day in (3, 4)))
    refused = command("op=seed_perf", f"op.source_results=[{','.join(paths)}]", REASON)
    assert refused.code == 2 and "the same build_id" in refused.text
