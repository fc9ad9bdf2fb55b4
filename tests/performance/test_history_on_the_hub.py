# SPDX-License-Identifier: Apache-2.0
"""Records of a data set on the Hub: read at one revision, and never an old copy where it cannot be reached."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import close_session

from fvhydra.core.errors import Corrupt, Unavailable
from fvhydra.performance.history import read_history
from fvhydra.performance.names import record_path
from fvhydra.performance.record import PerfRecord
from fvhydra.stores.base import Store
from tests.contracts.store_sites import hub_config, open_store
from tests.performance.making import record
from tests.servers.hub import HubServer
from tests.servers.hub.faults import Fault

NAME = "alice/performance"


@pytest.fixture(scope="module")
def server() -> Iterator[HubServer]:
    with HubServer() as hub:
        hub.create(NAME)
        yield hub
    close_session()


@pytest.fixture
def store(server: HubServer, tmp_path: Path) -> Store:
    server.faults.clear()
    return open_store(hub_config(server, NAME, tmp_path / "cache", retry_s=0.1, timeout_s=5.0))


def append(store: Store, *records: PerfRecord) -> None:
    store.commit({record_path(each): json.dumps(each.fields).encode() for each in records}, message="records")


def test_what_others_appended_is_there_and_only_that_is_transferred(
    server: HubServer, store: Store, tmp_path: Path
) -> None:
    append(store, record(1), record(2))
    assert len(read_history(store, tmp_path / "mirror").records) == 2
    append(store, record(3))
    server.requests.clear()
    history = read_history(store, tmp_path / "mirror")
    assert [each.timestamp[8:10] for each in history.records] == ["01", "02", "03"]
    fetched = [path for method, path in _asked(server) if method == "GET" and "/resolve/" in path]
    assert len(fetched) == 1 and fetched[0].endswith(record_path(record(3)))


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", r"/api/datasets/", status=503, times=99),
        Fault("status", r"/tree/", status=503, times=99),
        Fault("drop", r"/tree/", times=99),
    ],
    ids=["head", "listing", "broken"],
)
def test_a_sync_that_fails_in_the_middle_gives_no_history(
    server: HubServer, store: Store, tmp_path: Path, fault: Fault
) -> None:
    append(store, record(4))
    read_history(store, tmp_path / "mirror")
    later = open_store(hub_config(server, NAME, tmp_path / "cache", retry_s=0.1, timeout_s=5.0))
    server.faults.append(fault)
    with pytest.raises(Unavailable):
        read_history(later, tmp_path / "mirror")


def test_a_record_that_arrives_damaged_gives_no_history(server: HubServer, store: Store, tmp_path: Path) -> None:
    append(store, record(5))
    server.faults.append(Fault("flip", r"/resolve/", "GET", times=99))
    with pytest.raises(Corrupt):
        read_history(store, tmp_path / "mirror")
    server.faults.clear()
    server.faults.append(Fault("status", r"/resolve/", status=503, times=99))
    with pytest.raises(Unavailable):
        read_history(store, tmp_path / "another")


def _asked(server: HubServer) -> list[tuple[str, str]]:
    return [(request.method, request.path) for request in server.requests]
