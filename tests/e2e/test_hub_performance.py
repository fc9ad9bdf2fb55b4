# SPDX-License-Identifier: Apache-2.0
"""Performance records with ``store=performance``, on a Hub of our own: tokens, lost answers, races, broken syncs."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fvhydra.performance.names import record_path
from fvhydra.performance.record import PerfRecord
from tests.conftest import Cli, Command
from tests.performance.making import record
from tests.performance.test_sources import written
from tests.servers.hub import ALICE, ALICE_READS, HubServer

NAME = "alice/performance"
BOTH = "op.confirm=[confirm performance reseed, upload]"
RESEED = ("op=reseed_perf", "op.model_id=toy-1gpu", "op.gpu_type=NVIDIA L40S", "op.reason=why")

OnHub = Callable[..., Command]


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        server.create(NAME)
        _append(server, *(record(day) for day in range(1, 6)))
        yield server


@pytest.fixture
def on_hub(command: Cli, hub: HubServer, tmp_path: Path) -> OnHub:
    """Re-seed with three sources, the records on the Hub."""
    given = f"op.source_results=[{','.join(written(tmp_path, *(record(day, latency=12.0) for day in (11, 12, 13))))}]"

    def run(*words: str, **environment: str) -> Command:
        settings = {"HF_TOKEN": ALICE, "HF_HUB_DISABLE_XET": "1", "HF_REPO_ID": NAME}
        sources = [given] if words[0] == "op=reseed_perf" else []
        # huggingface_hub reads HF_ENDPOINT when it is imported, and these commands share a process
        where = ("store=performance", f"store.endpoint={hub.url}", "store.retry_s=0.2")
        return command(*where, *words, *sources, **settings | environment)

    return run


def _append(hub: HubServer, *records: PerfRecord) -> None:
    """A commit of somebody else."""
    repo = hub.repos[NAME]
    added = {record_path(each): repo.put("blob", json.dumps(each.fields).encode()) for each in records}
    repo.commit("main", {**repo.files(repo.branches["main"]), **added}, "bob", "a nightly run")


def _records(hub: HubServer) -> set[str]:
    repo = hub.repos[NAME]
    return {path for path in repo.files(repo.branches["main"]) if path.startswith("toy-1gpu/")}


def test_a_re_seed_and_its_undoing_are_one_commit_each(on_hub: OnHub, hub: HubServer, tmp_path: Path) -> None:
    before = _records(hub)
    done = on_hub(*RESEED, BOTH)
    assert done.code == 0, done.text
    assert len(_records(hub) - before) == 3 and before < _records(hub)
    run = (tmp_path / "outputs" / "latest").resolve()
    undone = on_hub("op=restore", f"run={run}", "op.confirm=[confirm delete, upload]")
    assert undone.code == 0 and _records(hub) == before, undone.text
    assert not any(ALICE in path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize("token", ["", ALICE_READS])
def test_without_a_token_that_writes_nothing_begins(on_hub: OnHub, tmp_path: Path, token: str) -> None:
    refused = on_hub(*RESEED, BOTH, HF_TOKEN=token, HF_HOME=str(tmp_path / "nobody"))
    assert refused.code == 2 and "HF_TOKEN" in refused.text, refused.text
    assert not (tmp_path / "outputs").exists()


def test_a_benchmark_that_nobody_declared_moves_no_shared_baseline(on_hub: OnHub, tmp_path: Path) -> None:
    [path] = written(tmp_path, record(20, benchmark_declared=False))
    words = [word for word in RESEED if word != "op=reseed_perf"]
    refused = on_hub("op.confirm=[]", "op=reseed_perf", *words, f"op.source_result={path}")
    assert refused.code == 2 and "without a declared benchmark" in refused.text, refused.text


def test_a_lost_answer_is_no_second_commit(on_hub: OnHub, hub: HubServer) -> None:
    before = _records(hub)
    hub.fault("lose", "/commit/")
    done = on_hub(*RESEED, BOTH)
    assert done.code == 0 and len(_records(hub) - before) == 3, done.text


def test_a_sync_that_fails_in_the_middle_stops(on_hub: OnHub, hub: HubServer) -> None:
    # in no cache of this machine yet
    _append(hub, *(record(day, build_id=secrets.token_hex(8)) for day in range(6, 10)))
    before = _records(hub)
    hub.fault("status", "/resolve/.*toy-1gpu", status=503, skip=2, times=10_000)
    failed = on_hub(*RESEED, BOTH)
    assert failed.code == 4, failed.text
    hub.faults.clear()
    assert _records(hub) == before


def test_somebody_who_commits_between_the_review_and_the_upload_stops_it(on_hub: OnHub, hub: HubServer) -> None:
    before = _records(hub)
    other = record(9, model_id="other")
    hub.fault("call", "/commit/", call=lambda: _append(hub, other))
    refused = on_hub(*RESEED, BOTH)
    assert refused.code == 2 and "after what was reviewed" in refused.text, refused.text
    assert _records(hub) == before
