# SPDX-License-Identifier: Apache-2.0
"""What is special about the store on the Hub: everything that can go wrong on the way there and back."""

from __future__ import annotations

import json
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import close_session, constants, get_session, set_client_factory
from pydantic import TypeAdapter

from fvhydra.config.store import HubStoreConfig
from fvhydra.core.errors import (
    Conflict,
    Corrupt,
    Denied,
    Exists,
    FvhydraError,
    NotFound,
    StoreError,
    Unavailable,
    UsageError,
)
from fvhydra.stores import layout
from fvhydra.stores.base import FileCopy, Store
from fvhydra.stores.hub.http import httpx
from fvhydra.stores.hub.session import asking
from fvhydra.testing import cases
from fvhydra.testing.store_writers import processes
from tests.contracts.store_sites import hub_config, open_store
from tests.servers.hub import ALICE, ALICE_READS, BOB, HubServer
from tests.servers.hub.connection import Connection
from tests.servers.hub.git import Repo
from tests.servers.hub.xet import Xet

NAME = "alice/refs"
LARGE = random.Random(3).randbytes(300_000)
CHANGE = {"ref/a.pt": LARGE, "ref/b.mp4": LARGE[::-1], "ref/a.pt.json": b'{"seed": 1}'}
"""Two files for LFS and one for git."""

OPERATION = {"operation": "5f2c77", "who": "Ada"}

Open = Callable[..., Store]


@pytest.fixture(scope="module")
def server() -> Iterator[HubServer]:
    with HubServer() as hub:
        yield hub
    close_session()


@pytest.fixture
def hub(server: HubServer) -> HubServer:
    """The server with one new data set and nothing wrong."""
    server.repos.clear()
    server.faults.clear()
    server.lfs.clear()
    server.heeds_given_gitignore = True
    server.create(NAME)
    server.requests.clear()
    return server


@pytest.fixture
def repo(hub: HubServer) -> Repo:
    return hub.repos[NAME]


@pytest.fixture
def config(hub: HubServer, tmp_path: Path) -> HubStoreConfig:
    return hub_config(hub, NAME, tmp_path / "cache", retry_s=5.0, timeout_s=5.0)


@pytest.fixture
def make_store(hub: HubServer, tmp_path: Path) -> Open:
    """Opens the store with other settings, or with another token."""

    def make(token: str | None = ALICE, repo_id: str = NAME, **settings: Any) -> Store:
        limits = {"retry_s": 5.0, "timeout_s": 5.0}
        return open_store(hub_config(hub, repo_id, tmp_path / "cache", **limits | settings), token)

    return make


@pytest.fixture
def store(config: HubStoreConfig) -> Store:
    return open_store(config)


def kept(repo: Repo, hub: HubServer, branch: str = "main") -> dict[str, bytes]:
    """What the server has, seen from behind, without the store's own files."""
    found = {}
    for path, blob in repo.files(repo.branches[branch]).items():
        if path != ".gitattributes" and not path.startswith("journal/"):
            pointer = repo.pointer(blob)
            found[path] = hub.lfs[pointer.sha256] if pointer else repo.objects[blob]
    return found


def commits(repo: Repo) -> int:
    """How many there are after the initial one."""
    return len(repo.history(repo.branches["main"])) - 1


def posts(hub: HubServer, part: str) -> list[int]:
    """Statuses of the requests whose path has ``part``."""
    return [request.status for request in hub.requests if part in request.path]


# failures that pass: nothing lost, nothing doubled

PASSING = {
    "408": {"action": "status", "status": 408},
    "409": {"action": "status", "status": 409},
    "429": {"action": "status", "status": 429, "headers": {"Retry-After": "1"}},
    "500": {"action": "status", "status": 500},
    "503": {"action": "status", "status": 503},
    "reset before": {"action": "drop"},
    "closed before": {"action": "drop", "orderly": True},
    "reset in the middle": {"action": "drop", "after_bytes": 100},
    "response lost": {"action": "lose"},
    "response lost orderly": {"action": "lose", "orderly": True},
    "500 although done": {"action": "spoil", "status": 500},
    "504 although done": {"action": "spoil", "status": 504},
}
ON_THE_WAY = ("/revision/", "/paths-info/", "/preupload/", "/lfs/objects/batch", "/cdn/", "/commit/")


@pytest.mark.parametrize("path", ON_THE_WAY)
@pytest.mark.parametrize("name", PASSING)
def test_a_failure_that_passes_leaves_one_whole_commit(
    store: Store, hub: HubServer, repo: Repo, name: str, path: str
) -> None:
    fault = hub.fault(path=path, **PASSING[name])
    start = time.monotonic()
    revision = store.commit(CHANGE, must_be_absent=True, message="m", provenance=OPERATION)
    assert fault.times == 0, "it did not happen"
    assert (commits(repo), repo.branches["main"]) == (1, revision)
    assert kept(repo, hub) == CHANGE
    if name == "429":
        assert time.monotonic() - start >= 1


@pytest.mark.parametrize("name", ["500", "reset before", "response lost", "500 although done"])
def test_a_failure_that_passes_does_not_disturb_reading(
    store: Store, make_store: Open, hub: HubServer, tmp_path: Path, name: str
) -> None:
    store.commit(CHANGE, message="m")
    for path in ("/revision/", "/tree/", "/resolve/", "/cdn/", "/commits/"):
        fault = hub.fault(path=path, **PASSING[name])
        reader = make_store(cache_dir=str(tmp_path / path.strip("/")))
        fetched = reader.fetch(reader.files(), tmp_path / "to" / path.strip("/"))
        assert {key: file.read_bytes() for key, file in fetched.items()} == CHANGE
        assert [entry.message for entry in reader.log()][:1] == ["m"]
        assert fault.times == 0


def test_a_commit_without_an_operation_is_made_once_too(store: Store, hub: HubServer, repo: Repo) -> None:
    hub.fault("lose", "/commit/", times=2)
    store.commit(CHANGE, message="m")
    assert commits(repo) == 1


def test_what_does_not_pass_is_given_up_in_time(make_store: Open, hub: HubServer, repo: Repo) -> None:
    hub.fault("status", "/commit/", status=503, times=1000)
    start = time.monotonic()
    with pytest.raises(Unavailable, match=r"answered 503(.|\n)*Publishing again is safe"):
        make_store(retry_s=1.0).commit(CHANGE, message="m", provenance=OPERATION)
    assert time.monotonic() - start < 3
    assert commits(repo) == 0
    hub.faults.clear()
    make_store().commit(CHANGE, message="m", provenance=OPERATION)
    assert (commits(repo), kept(repo, hub)) == (1, CHANGE)


@pytest.mark.parametrize("path", ["/commit/", "/preupload/", "/tree/"])
def test_a_wait_longer_than_the_bound_is_not_begun(
    make_store: Open, hub: HubServer, repo: Repo, tmp_path: Path, path: str
) -> None:
    hub.fault("status", path, status=429, headers={"Retry-After": "3600"}, times=1000)
    store = make_store()
    start = time.monotonic()
    with pytest.raises(Unavailable, match="answered 429"):
        store.files()
        store.commit(CHANGE, message="m")
    assert time.monotonic() - start < 2
    assert commits(repo) == 0


@pytest.mark.parametrize("parent", [False, True])
def test_a_refused_parent_for_ever_is_given_up_in_time(
    make_store: Open, hub: HubServer, repo: Repo, parent: bool
) -> None:
    hub.fault("status", "/commit/", status=412, times=1000)
    store = make_store(retry_s=1.0)
    head = store.head()
    hub.requests.clear()
    start = time.monotonic()
    with pytest.raises(Unavailable, match=f"answers .412., and yet its head is {head} as before"):
        store.commit(CHANGE, parent=head if parent else None, message="m", provenance=OPERATION)
    assert time.monotonic() - start < 3
    assert posts(hub, "/commit/").count(412) < 8, "each pause is longer than the one before"
    assert commits(repo) == 0


def test_others_who_are_always_faster_are_given_way_to_in_time(make_store: Open, hub: HubServer, repo: Repo) -> None:
    numbers = iter(range(1000))
    other = make_store()

    def intrude() -> None:
        hub.faults.clear()
        other.commit({f"theirs/{next(numbers)}": b"1"}, message="theirs")
        hub.fault("call", "/commit/", call=intrude)

    hub.fault("call", "/commit/", call=intrude)
    start = time.monotonic()
    with pytest.raises(Conflict, match="Others kept committing"):
        make_store(retry_s=1.0).commit(CHANGE, message="m")
    assert time.monotonic() - start < 4
    assert kept(repo, hub).keys().isdisjoint(CHANGE)


@pytest.mark.parametrize("path", ["/cdn/", "/commit/", "/revision/", "/paths-info/"])
def test_what_stalls_is_tried_again(make_store: Open, hub: HubServer, repo: Repo, path: str) -> None:
    hub.fault("stall", path, after_bytes=10, seconds=20)
    start = time.monotonic()
    make_store(timeout_s=0.5).commit(CHANGE, message="m")
    assert time.monotonic() - start < 5
    assert (commits(repo), kept(repo, hub)) == (1, CHANGE)


@pytest.mark.parametrize("path", ["/tree/", "/commits/", "/resolve/"])
def test_reading_that_stalls_is_tried_again(make_store: Open, hub: HubServer, tmp_path: Path, path: str) -> None:
    make_store().commit(CHANGE, message="m")
    hub.fault("stall", path, seconds=20)
    store = make_store(timeout_s=0.5)
    start = time.monotonic()
    assert len(store.log("ref")) == 1
    assert len(store.fetch(store.files("ref"), tmp_path / "to")) == 3
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("path", ["/cdn/", "/resolve/"])
@pytest.mark.parametrize("action", ["stall", "pause"])
def test_a_download_that_stalls_is_given_up_after_the_time_limit_of_the_store(
    make_store: Open, hub: HubServer, tmp_path: Path, path: str, action: str
) -> None:
    """Before its first byte, and in the middle of the file."""
    make_store().commit(CHANGE, message="m")
    name = "ref/a.pt" if path == "/cdn/" else "ref/a.pt.json"
    hub.fault(action, path, method="GET", seconds=20, after_bytes=5, times=1000)
    store = make_store(timeout_s=0.5, retry_s=0.5)
    start = time.monotonic()
    with pytest.raises(Unavailable, match="cannot be reached"):
        store.fetch([name], tmp_path / "to")
    assert time.monotonic() - start < 4
    hub.faults.clear()
    assert store.fetch([name], tmp_path / "to")[name].read_bytes() == CHANGE[name]


def test_of_many_downloads_the_first_that_is_given_up_is_the_last_that_is_begun(
    make_store: Open, hub: HubServer, tmp_path: Path
) -> None:
    many = {f"ref/{number}.json": b"%d" % number for number in range(100)}
    make_store().commit(many, message="m")
    hub.fault("status", "/resolve/", status=503, times=100_000)
    start = time.monotonic()
    with pytest.raises(Unavailable, match="answered 503"):
        make_store(retry_s=0.3).fetch(many, tmp_path / "to")
    assert time.monotonic() - start < 4


def test_an_upload_that_always_stalls_is_given_up(make_store: Open, hub: HubServer, repo: Repo) -> None:
    hub.fault("stall", "/cdn/", seconds=20, times=1000)
    start = time.monotonic()
    with pytest.raises(Unavailable, match="cannot be reached"):
        make_store(timeout_s=0.3, retry_s=1.0).commit(CHANGE, message="m")
    assert time.monotonic() - start < 5
    assert commits(repo) == 0


def test_a_server_that_dies_in_an_upload_and_comes_back(store: Store, hub: HubServer, repo: Repo) -> None:
    def die() -> None:
        hub.kill()
        threading.Timer(0.5, hub.restart).start()

    hub.fault("call", "/cdn/", method="PUT", call=die)
    store.commit(CHANGE, message="m", provenance=OPERATION)
    assert (commits(repo), kept(repo, hub)) == (1, CHANGE)


def test_a_server_that_is_gone_is_named(make_store: Open, hub: HubServer) -> None:
    hub.kill()
    try:
        store = make_store(retry_s=0.2)
        for attempt in (store.head, store.check_writable, store.log):
            with pytest.raises(Unavailable, match="hf://datasets/alice/refs cannot be reached"):
                attempt()
    finally:
        hub.restart()


# failures that do not pass

TOKENS = {"401": "hf_made_up_by_somebody_9999", "403": ALICE_READS, "404": BOB, "none": None}


@pytest.mark.parametrize("name", TOKENS)
def test_who_may_not_write_is_told_which_token_was_read(
    make_store: Open, hub: HubServer, repo: Repo, name: str
) -> None:
    store = make_store(TOKENS[name])
    for attempt in (store.check_writable, lambda: store.commit(CHANGE, message="m")):
        hub.requests.clear()
        with pytest.raises(Denied) as caught:
            attempt()
        assert "without a token" in str(caught.value) or "HF_TOKEN" in caught.value.message or name == "none"
        assert "HF_API_KEY, HUGGINGFACE_HUB_TOKEN or HF_TOKEN" in caught.value.hint
        assert "write access" in caught.value.hint
    assert commits(repo) == 0


def test_looking_whether_one_may_write_writes_nothing(store: Store, hub: HubServer, repo: Repo) -> None:
    store.check_writable()
    assert [request.method for request in hub.requests] == ["GET"]
    assert commits(repo) == 0


@pytest.mark.parametrize(
    ("status", "kind", "sentence"),
    [
        (400, Unavailable, "answered 400: no such thing"),
        (401, Denied, "does not accept the token from HF_TOKEN"),
        (403, Denied, "forbids writing with the token from HF_TOKEN, which needs write access: no such thing"),
        (413, Unavailable, "takes no request that large"),
    ],
)
def test_a_refusal_is_final(
    store: Store, hub: HubServer, repo: Repo, status: int, kind: type[StoreError], sentence: str
) -> None:
    hub.fault("status", "/commit/", status=status, message="no such thing", times=1000)
    with pytest.raises(kind, match=sentence):
        store.commit(CHANGE, message="m")
    assert posts(hub, "/commit/") == [status]
    assert commits(repo) == 0


def test_a_data_set_or_branch_that_is_not_there(make_store: Open, hub: HubServer) -> None:
    with pytest.raises(Denied, match=r"no data set hf://datasets/alice/other that the token from HF_TOKEN may see"):
        make_store(repo_id="alice/other").head()
    with pytest.raises(NotFound, match="no such revision or branch in hf://datasets/alice/refs@dev") as caught:
        make_store(revision="dev").head()
    assert caught.value.exit_code == 2 and "store.revision" in caught.value.hint


@pytest.mark.parametrize("path", ["/revision/", "/tree/", "/commits/", "/resolve/"])
def test_a_read_that_is_forbidden_speaks_of_reading(
    make_store: Open, hub: HubServer, tmp_path: Path, path: str
) -> None:
    make_store().commit(CHANGE, message="m")
    hub.fault("status", path, status=403, message="not for you", times=1000)
    store = make_store()
    with pytest.raises(Denied, match="forbids reading with the token from HF_TOKEN: not for you") as caught:
        store.fetch(store.files(), tmp_path / "to")
        store.log()
    assert "write" not in str(caught.value) and "may read" in caught.value.hint


@pytest.mark.parametrize("endpoint", ["ftp://127.0.0.1", "127.0.0.1", "http://", "http://127.0.0.1:x", "http://a b"])
def test_an_address_that_is_none_is_refused_with_the_configuration(tmp_path: Path, endpoint: str) -> None:
    with pytest.raises(ValueError, match=r"must be an address such as https://hub\.example"):
        TypeAdapter(HubStoreConfig).validate_python(
            {"_target_": "", "name": "hub", "repo_id": NAME, "endpoint": endpoint}
        )


def test_an_address_where_no_hub_is_is_not_tried_again(make_store: Open, hub: HubServer) -> None:
    start = time.monotonic()
    with pytest.raises(NotFound, match="nobody knows such a request") as caught:
        make_store(endpoint=f"{hub.url}/elsewhere").head()
    assert caught.value.exit_code == 2 and "store.endpoint" in caught.value.hint
    assert time.monotonic() - start < 2


def test_a_host_that_does_not_exist_is_not_tried_again(make_store: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    start = time.monotonic()
    with pytest.raises(NotFound, match="its address names a host that does not exist"):
        make_store(endpoint="http://hub.invalid").head()
    assert time.monotonic() - start < 2


def test_the_password_of_an_address_is_not_repeated(
    make_store: Open, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = hub.url.replace("://", "://ada:secret@")
    config = {"_target_": "", "name": "hub", "repo_id": NAME, "endpoint": secret}
    assert TypeAdapter(HubStoreConfig).validate_python(config).endpoint == hub.url
    monkeypatch.setattr(constants, "ENDPOINT", f"{secret}/elsewhere")  # HF_ENDPOINT, which is recorded nowhere
    for status in (400, 403, 500):
        hub.fault("status", "/elsewhere/", status=status, message=f"no such thing: {secret}/elsewhere")
        with pytest.raises(StoreError, match="no such thing: http://127") as caught:
            make_store(endpoint=None, retry_s=0.01).head()
        assert "secret" not in str(caught.value) + repr(caught.value)


LISTED = {
    "path": [("/tree/", "path", path) for path in ("../../pwned", "/etc/cron.d/x", "a//b", "a\\b", "a\nb", "x" * 256)],
    "large": [("/tree/", "lfs", {"oid": oid, "size": 1, "pointerSize": 1}) for oid in ("../../x", "A" * 64, "")],
    "small": [("/tree/", "oid", "../../../x"), ("/tree/", "size", -1)],
}


@pytest.mark.parametrize(("path", "key", "value"), [item for kind in LISTED.values() for item in kind])
def test_what_a_listing_says_is_checked_like_our_own(
    make_store: Open, hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, key: str, value: Any
) -> None:
    make_store().commit({"x": b"1"}, message="m")
    describe = Repo.describe
    monkeypatch.setattr(Repo, "describe", lambda repo, name, blob: describe(repo, name, blob) | {key: value})
    store = make_store()
    for attempt in (store.files, lambda: store.fetch(["x"], tmp_path / "to")):
        with pytest.raises(Corrupt, match="hf://datasets/alice/refs lists"):
            attempt()
    assert not (tmp_path / "to").exists()


def test_a_commit_with_the_name_of_another_file_is_refused(
    make_store: Open, hub: HubServer, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_store().commit({"x": b"1"}, message="m")
    repo.branches["evil"] = "../../../evil"
    monkeypatch.setattr(Repo, "resolve", lambda *_: "../../../evil")
    monkeypatch.setattr(Repo, "files", lambda *_: {})
    with pytest.raises(Corrupt, match=r"names a commit .*evil', which is none"):
        make_store().head()


@pytest.mark.parametrize("header", ["ETag", "X-Linked-ETag", "X-Repo-Commit"])
def test_no_file_of_the_cache_is_named_by_what_leads_elsewhere(
    make_store: Open, hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    """huggingface_hub would write to it."""
    make_store().commit(CHANGE, message="m")
    send = Connection._head

    def hostile(self: Connection, status: int, length: int, headers: Any) -> None:
        known = {name.lower(): name for name in headers}
        send(
            self,
            status,
            length,
            headers | ({known[header.lower()]: '"../../../pwned"'} if header.lower() in known else {}),
        )

    monkeypatch.setattr(Connection, "_head", hostile)
    with pytest.raises(Corrupt, match=f"sends .*pwned.* as {header}"):
        make_store().fetch(["ref/a.pt", "ref/a.pt.json"], tmp_path / "to")
    assert not list(tmp_path.rglob("pwned"))


def test_a_file_that_does_not_end_is_not_taken_to_its_end(
    make_store: Open, hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_store().commit(CHANGE, message="m")
    monkeypatch.setattr("fvhydra.stores.hub.repository._HEADROOM_BYTES", 1000)
    answer = Connection.answer_file

    def endless(self: Connection, data: bytes, headers: Any) -> None:
        answer(self, data * 100 if self.command == "GET" else data, headers)

    monkeypatch.setattr(Connection, "answer_file", endless)
    with pytest.raises(Corrupt, match="more bytes than it says"):
        make_store().fetch(["ref/a.pt"], tmp_path / "to")
    assert not (tmp_path / "to" / "ref").exists() or list((tmp_path / "to" / "ref").iterdir()) == []


@pytest.mark.parametrize(
    "said",
    [
        {"paths": ["../../pwned"]},
        {"paths": "x"},
        {"paths": [3]},
        {"provenance": []},
        {"provenance": {"who": "\ud800"}},
        {"provenance": {"who": json.loads("[" * 100 + "]" * 100)}},
        [],
        3,
    ],
)
def test_a_description_that_only_looks_like_ours_tells_nothing(store: Store, repo: Repo, said: Any) -> None:
    first = store.commit({"a": b"1"}, message="ours")
    blobs = {".gitattributes": repo.files(first)[".gitattributes"], "a": repo.put("blob", b"2")}
    repo.commit("main", blobs, "bob", "By some script", json.dumps({"fvhydra": said}))
    newest, *_ = store.log()
    assert (newest.paths, newest.provenance) == (("a",), {"who": "bob"})


def test_a_branch_is_a_store_of_its_own(make_store: Open, hub: HubServer, repo: Repo) -> None:
    repo.branches["dev"] = repo.branches["main"]
    make_store(revision="dev").commit(CHANGE, message="m")
    assert (kept(repo, hub, "dev"), kept(repo, hub)) == (CHANGE, {})
    assert make_store().files() == {}


def test_a_moving_name_is_no_revision(store: Store) -> None:
    with pytest.raises(Unavailable, match="no revision main"):
        store.files("", "main")


@pytest.mark.parametrize("path", ["journal/x.json", "journal", ".gitattributes", "a/.cache/x", ".git/config"])
def test_names_that_are_taken(store: Store, repo: Repo, path: str) -> None:
    with pytest.raises(UsageError, match="cannot be a file of a store on the Hub"):
        store.commit({path: b"1"}, message="m")
    assert commits(repo) == 0


def test_without_a_network_by_choice_nothing_is_tried(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    start = time.monotonic()
    with pytest.raises(Unavailable, match="HF_HUB_OFFLINE is set"):
        store.head()
    assert time.monotonic() - start < 1


# others write too


def test_a_second_writer_between_the_look_and_the_commit(
    store: Store, make_store: Open, hub: HubServer, repo: Repo
) -> None:
    def intrude() -> None:
        make_store().commit({"ref/c.json": b"{}"}, message="theirs", provenance={"who": "Bob"})

    hub.fault("call", "/commit/", call=intrude)
    store.commit(CHANGE, must_be_absent=True, message="mine")
    assert posts(hub, "/commit/").count(412) == 1
    assert kept(repo, hub) == CHANGE | {"ref/c.json": b"{}"}

    head = store.head()
    hub.fault("call", "/commit/", call=intrude)
    with pytest.raises(Conflict, match=r"Bob committed to hf://datasets/alice/refs at .*other files \(theirs\)"):
        store.commit({"new": b""}, parent=head, message="mine")
    hub.fault("call", "/commit/", call=lambda: make_store().commit({"new": b"theirs"}, message="theirs"))
    with pytest.raises(Exists):
        store.commit({"new": b""}, must_be_absent=True, message="mine")
    assert kept(repo, hub)["new"] == b"theirs"


@pytest.mark.parametrize("path", ["/revision/", "/paths-info/", "/preupload/", "/commit/"])
def test_the_same_change_by_somebody_else_in_between_is_done(
    store: Store, make_store: Open, hub: HubServer, repo: Repo, path: str
) -> None:
    landed = []

    def same() -> None:
        landed.append(make_store().commit(CHANGE, must_be_absent=True, message="m", provenance=OPERATION))
        make_store().commit({"later": b""}, message="another")

    hub.fault("call", path, call=same)
    assert store.commit(CHANGE, must_be_absent=True, message="m", provenance=OPERATION) == landed[0]
    assert commits(repo) == 2


def test_commits_of_other_tools_are_understood(store: Store, make_store: Open, hub: HubServer, repo: Repo) -> None:
    first = store.commit({"a": b"1", "b": b"1"}, message="ours")
    blobs = {".gitattributes": repo.files(first)[".gitattributes"], "a": repo.put("blob", b"2")}
    repo.commit("main", blobs, "bob", "Upload a with some script", '{"note": "not ours"}')

    newest, ours, initial = store.log()
    assert (newest.message, newest.paths, newest.provenance) == (
        "Upload a with some script",
        ("a", "b"),
        {"who": "bob"},
    )
    assert (newest.parent, ours.paths, initial.paths) == (first, ("a", "b"), ())
    assert [entry.revision for entry in store.log("b")] == [newest.revision, first]
    with pytest.raises(Conflict, match=r"bob committed .* the same files \(Upload a with some script\)") as caught:
        store.commit({"b": b"3"}, parent=first, message="m")
    assert caught.value.paths == ["b"]

    hub.requests.clear()
    make_store().log()
    assert [request.path for request in hub.requests] == [f"/api/datasets/{NAME}/commits/main"], "learnt once for ever"


def test_a_commit_of_more_paths_than_a_description_should_hold(store: Store, repo: Repo) -> None:
    many = {f"records/the-rather-long-name-of-a-benchmark/{number}.json": b"%d" % number for number in range(600)}
    revision = store.commit(many, message="m", provenance={"who": "Ada"})
    assert len(repo.commits[revision].description) < 1000
    [entry] = store.log("records")
    assert entry.paths == tuple(sorted(many)) and entry.provenance == {"who": "Ada"}


# what is in the data set


def test_a_gitignore_in_the_data_set_leaves_no_file_out(store: Store, hub: HubServer, repo: Repo) -> None:
    store.commit({".gitignore": b"*.mp4\n*.json\n"}, message="m")
    store.commit(CHANGE, message="m")
    assert kept(repo, hub).items() >= CHANGE.items()


def test_a_file_that_the_hub_left_out_is_named(store: Store, hub: HubServer) -> None:
    store.commit({".gitignore": b"*.mp4\n"}, message="m")
    hub.heeds_given_gitignore = False
    with pytest.raises(Corrupt, match=r"without, or with other bytes of:\n    ref/b.mp4\n(.|\n)*\.gitignore"):
        store.commit(CHANGE, message="m")


@pytest.mark.parametrize("legacy", [False, True])
def test_the_data_sets_of_today_are_read(
    store: Store, hub: HubServer, repo: Repo, tmp_path: Path, legacy: bool
) -> None:
    case = cases.case("ltx2", None, tier=cases.tier("default"))
    folder = layout.search_folders(case)[-1 if legacy else 0]
    path = f"{folder}/{layout.prompt_stem(case.prompt)}.pt"
    blobs = repo.files(repo.branches["main"]) | {path: repo.put("blob", LARGE), "README.md": repo.put("blob", b"#")}
    repo.commit("main", blobs, "bob", "Add references")

    found = [file for prefix in layout.search_folders(case) for file in store.files(prefix)]
    reference = layout.find_reference(found, case, lambda path: None)
    assert reference == path
    assert store.fetch([reference], tmp_path / "to")[reference].read_bytes() == LARGE


def test_the_objects_are_those_of_git(store: Store, repo: Repo, tmp_path: Path) -> None:
    store.commit(CHANGE, message="m")
    store.commit({"ref.txt": b"sorts between"}, copies=[FileCopy("z", "ref/a.pt")], deletes=["ref/b.mp4"], message="m")
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "git"], check=True)
    kinds = {commit.sha: "commit" for commit in repo.commits.values()}
    for commit in repo.commits.values():
        kinds |= {commit.tree: "tree"} | dict.fromkeys(repo.folders(commit.sha).values(), "tree")
    for sha, data in repo.objects.items():
        loose = tmp_path / "git" / "objects" / sha[:2] / sha[2:]
        loose.parent.mkdir(exist_ok=True)
        loose.write_bytes(zlib.compress(f"{kinds.get(sha, 'blob')} {len(data)}\0".encode() + data))
    subprocess.run(["git", "-C", tmp_path / "git", "fsck", "--strict", store.head()], check=True, capture_output=True)


# downloads


@pytest.mark.parametrize("path", ["ref/a.pt", "ref/a.pt.json"])
@pytest.mark.parametrize("fault", [{"action": "flip"}, {"action": "truncate", "after_bytes": 5}])
def test_a_download_that_is_damaged_once_is_repeated(
    store: Store, hub: HubServer, tmp_path: Path, path: str, fault: dict[str, Any]
) -> None:
    store.commit(CHANGE, message="m")
    injected = hub.fault(path="/cdn/|/resolve/", method="GET", **fault)
    assert store.fetch([path], tmp_path / "to")[path].read_bytes() == CHANGE[path]
    assert injected.times == 0


def test_a_download_that_is_always_damaged_leaves_nothing(store: Store, hub: HubServer, tmp_path: Path) -> None:
    store.commit(CHANGE, message="m")
    hub.fault("flip", "/cdn/", method="GET", times=1000)
    with pytest.raises(Corrupt, match=r"ref/a\.pt"):
        store.fetch(["ref/a.pt"], tmp_path / "to")
    hub.faults.clear()
    assert [path for path in (tmp_path / "to").rglob("*") if path.is_file()] == []
    damaged = [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.stat().st_size == len(LARGE)]
    assert damaged == [], "other tools trust that cache"
    assert store.fetch(["ref/a.pt"], tmp_path / "to")["ref/a.pt"].read_bytes() == LARGE


def test_a_damaged_cache_is_healed(store: Store, tmp_path: Path) -> None:
    store.commit(CHANGE, message="m")
    store.fetch(["ref/a.pt"], tmp_path / "to")
    [blob] = [path for path in (tmp_path / "cache").rglob("blobs/*") if path.stat().st_size == len(LARGE)]
    blob.write_bytes(bytes(len(LARGE)))
    assert store.fetch(["ref/a.pt"], tmp_path / "again")["ref/a.pt"].read_bytes() == LARGE
    assert blob.read_bytes() == LARGE


@pytest.mark.parametrize("status", [403, 503])
def test_a_stale_cache_is_never_served(make_store: Open, hub: HubServer, tmp_path: Path, status: int) -> None:
    store = make_store(retry_s=0.2)
    store.commit({"x": b"old"}, message="m")
    store.fetch(["x"], tmp_path / "to")
    store.commit({"x": b"new"}, message="m")
    for path in ("/revision/", "/paths-info/|/tree/", "/resolve/"):
        hub.faults.clear()
        hub.fault("status", path, status=status, times=1000)
        with pytest.raises(StoreError):
            make_store(retry_s=0.2).fetch(["x"], tmp_path / "new")
    assert not (tmp_path / "new" / "x").exists()


def test_only_what_changed_is_asked_for(store: Store, make_store: Open, hub: HubServer, tmp_path: Path) -> None:
    references = {f"ref/{number}.pt": b"%d\0" % number for number in range(200)}
    store.commit(references, message="m")
    reader = make_store()
    reader.fetch(reader.files(), tmp_path / "to")
    store.commit({"ref/7.pt": b"new\0", "ref/8.pt": b"newer\0"}, message="m")

    hub.requests.clear()
    reader = make_store()
    revision = reader.head()
    found = [path for prefix in ("ref", "legacy") for path in reader.files(prefix, revision)]
    for path in found:  # one by one and into a new folder, as a run does
        reader.fetch([path], tmp_path / "new", revision)
    assert len(found) == 200 and (tmp_path / "new/ref/7.pt").read_bytes() == b"new\0"
    downloads = [request for request in hub.requests if request.path.startswith("/cdn/")]
    assert len(downloads) == 2
    assert len(hub.requests) - len(downloads) <= 5, hub.requests


def test_fifty_files_are_one_commit(store: Store, hub: HubServer, repo: Repo) -> None:
    store.commit({f"ref/{number}.pt": b"%d\0" % number for number in range(50)}, message="m")
    assert (commits(repo), posts(hub, "/commit/")) == (1, [200])


# the token


def test_the_token_is_in_no_complaint(make_store: Open, hub: HubServer, capfd: pytest.CaptureFixture[str]) -> None:
    store = make_store(retry_s=0.1)
    heard = [repr(store), str(vars(store)), repr(vars(store._repository)["_token"])]  # type: ignore[attr-defined]
    faults = [{"action": "status", "status": status} for status in (400, 401, 403, 404, 413, 429, 500)]
    for fault in [*faults, {"action": "drop"}, {"action": "stall", "seconds": 0.1}]:
        for path in ("/revision/", "/cdn/", "/commit/"):
            hub.faults.clear()
            hub.lfs.clear()
            hub.fault(path=path, times=1000, message=f"You sent Bearer {ALICE}!", **fault)
            with pytest.raises(FvhydraError) as caught:
                store.commit(CHANGE, message="m")
            heard += [str(caught.value), repr(caught.value), *traceback.format_exception(caught.value)]
    heard += capfd.readouterr()
    assert ALICE not in "".join(heard)
    assert "You sent Bearer <token>!" in "".join(heard)


def test_the_token_stays_with_the_hub(store: Store, hub: HubServer, tmp_path: Path) -> None:
    store.commit(CHANGE, message="m")
    store.fetch(CHANGE, tmp_path / "to")
    elsewhere = [request for request in hub.requests if request.path.startswith("/cdn/")]
    assert len(elsewhere) == 4 and not any(request.authorized for request in elsewhere)


@pytest.mark.parametrize("token", ["hf_with a space", "hf_line\nbreak", "hf_schlüssel"])
def test_a_token_that_cannot_be_sent_is_not_quoted(make_store: Open, token: str) -> None:
    with pytest.raises(Denied, match="HF_TOKEN holds characters that no token has") as caught:
        make_store(token)
    assert token not in str(caught.value)


# the rest of the process


def test_time_limits_of_others_are_left_alone(store: Store) -> None:
    set_client_factory(lambda: httpx.Client(timeout=7.0, follow_redirects=True))
    try:
        store.head()
        assert get_session().timeout == httpx.Timeout(7.0)
    finally:
        set_client_factory(lambda: httpx.Client(timeout=None, follow_redirects=True))
    store.head()
    assert get_session().timeout == httpx.Timeout(5.0), "without one, an upload that stalls waits for ever"


# Xet


def test_a_hub_without_xet_says_how_it_can_be_reached(make_store: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    with pytest.raises(Unavailable, match=r"cannot be reached(.|\n)*store\.xet=off"):
        make_store(xet="auto", retry_s=0.2).commit(CHANGE, message="m")


def test_large_files_travel_by_xet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    with HubServer(Xet(tmp_path)) as hub:
        repo = hub.create(NAME)
        store = open_store(hub_config(hub, NAME, tmp_path / "cache", xet="auto"))
        hub.fault("lose", "/commit/")
        revision = store.commit(CHANGE, must_be_absent=True, message="m", provenance=OPERATION)
        assert (commits(repo), repo.branches["main"], kept(repo, hub)) == (1, revision, CHANGE)
        fetched = store.fetch(store.files("ref"), tmp_path / "to")
        assert {path: file.read_bytes() for path, file in fetched.items()} == CHANGE
        assert posts(hub, "xet-write-token") and posts(hub, "xet-read-token") and not posts(hub, "/cdn/")


# killed


def _publish(config: HubStoreConfig) -> None:
    open_store(config).commit(CHANGE, must_be_absent=True, message="m", provenance=OPERATION)


@pytest.mark.slow
def test_a_publish_that_is_killed_and_run_again_is_one_commit(
    config: HubStoreConfig, hub: HubServer, repo: Repo
) -> None:
    clock = random.Random(11)
    longest = 0.0
    outcomes = set()
    for turn in range(50):
        hub.lfs.clear()
        repo.branches["main"] = repo.history(repo.branches["main"])[-1].sha
        publisher = processes.Process(target=_publish, args=(config,))
        start = time.monotonic()
        publisher.start()
        if turn == 0:  # how long one takes
            publisher.join()
            longest = time.monotonic() - start
        else:
            time.sleep(clock.uniform(0, longest))
            publisher.kill()
            publisher.join()
            outcomes.add((publisher.exitcode, commits(repo)))
        assert commits(repo) in (0, 1)
        assert kept(repo, hub) in ({}, CHANGE)
        open_store(config).commit(CHANGE, must_be_absent=True, message="m", provenance=OPERATION)
        assert (commits(repo), kept(repo, hub)) == (1, CHANGE)
    assert (-signal.SIGKILL, 0) in outcomes, "nobody was killed in time"


def test_nothing_is_left_in_the_data_set_by_a_publish_that_died(
    config: HubStoreConfig, hub: HubServer, repo: Repo
) -> None:
    hub.fault("stall", "/commit/", seconds=5)
    publisher = processes.Process(target=_publish, args=(config,))
    publisher.start()
    while not posts(hub, "/commit/"):
        time.sleep(0.01)
    publisher.kill()
    publisher.join()
    assert (commits(repo), kept(repo, hub)) == (0, {})
    _publish(config)
    assert (commits(repo), kept(repo, hub)) == (1, CHANGE)


def test_a_full_disk_is_no_failure_of_the_hub(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.commit(CHANGE, message="m")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(UsageError, match="No space left on device"):
        store.fetch(["ref/a.pt"], tmp_path / "to")


def test_a_client_is_not_closed_under_a_question_of_another_thread() -> None:
    with asking(7.0, xet=False):
        client = get_session()
        assert client.timeout == httpx.Timeout(7.0)
        with asking(9.0, xet=False):
            assert get_session() is client and not client.is_closed
    with asking(9.0, xet=False):
        assert get_session().timeout == httpx.Timeout(9.0) and client.is_closed
    close_session()
