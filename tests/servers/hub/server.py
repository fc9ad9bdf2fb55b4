# SPDX-License-Identifier: Apache-2.0
"""The server: what it keeps, who may do what, and switching it off and on."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from typing import Any

from tests.servers.hub.api import Api
from tests.servers.hub.faults import Fault
from tests.servers.hub.git import Repo
from tests.servers.hub.xet import Xet

ALICE, ALICE_READS, BOB = "hf_alice_may_write_0001", "hf_alice_may_read_0002", "hf_bob_may_write_0003"

_LARGE = ("pt", "mp4", "png", "bin")
_ATTRIBUTES = "".join(f"*.{extension} filter=lfs diff=lfs merge=lfs -text\n" for extension in _LARGE)


@dataclass(frozen=True)
class User:
    name: str
    writes: bool


@dataclass
class Request:
    """A request that came in, in the order of arrival."""

    method: str
    path: str
    authorized: bool
    range: str = ""
    status: int = 0


class HubServer:
    """See the package. Also a context manager.

    Attributes:
        page: Entries on a page of a listing.
        bytes_per_s: How quickly files are sent; 0: as quickly as can be.
        large: Size in bytes from which a file is kept in LFS whatever its name.
        heeds_given_gitignore: Whether a client may say which ``.gitignore`` counts for its files, as the real Hub lets.
        requests: What came in.
        xet: Where clients that know Xet put large files; None when this Hub does not know it.
    """

    def __init__(self, xet: Xet | None = None) -> None:
        self.xet = xet
        self.tokens = {ALICE: User("alice", True), ALICE_READS: User("alice", False), BOB: User("bob", True)}
        self.page = 1000
        self.large = 10 * 1024 * 1024
        self.heeds_given_gitignore = True
        self.bytes_per_s = 0
        self.repos: dict[str, Repo] = {}
        self.lfs: dict[str, bytes] = {}
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.lock = threading.RLock()
        self._http = self._listen(0)
        self.port: int = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def create(self, name: str, private: bool = True) -> Repo:
        """Make a data set with the one commit that a new one has."""
        repo = Repo(private)
        attributes = repo.put("blob", _ATTRIBUTES.encode())
        repo.commit("main", {".gitattributes": attributes}, name.split("/")[0], "initial commit")
        self.repos[name] = repo
        return repo

    def large_file(self, sha256: str) -> bytes | None:
        """The bytes of a file that was uploaded, by whatever way."""
        if sha256 not in self.lfs and self.xet and (data := self.xet.read(sha256)) is not None:
            self.lfs[sha256] = data
        return self.lfs.get(sha256)

    def fault(self, action: str, path: str, **settings: Any) -> Fault:
        """Inject a :class:`Fault`; those injected first happen first."""
        fault = Fault(action, path, **settings)
        self.faults.append(fault)
        return fault

    def kill(self) -> None:
        """Be gone at once, with every open connection; what was committed stays."""
        self._http.shutdown()
        self._http.server_close()
        for connection in list(self._http.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def restart(self) -> None:
        """Answer again, under the same address."""
        self._http = self._listen(self.port)

    def __enter__(self) -> HubServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _listen(self, port: int) -> _Http:
        http = _Http(("127.0.0.1", port), type("BoundApi", (Api,), {"hub": self}))
        threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
        return http


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *arguments: Any) -> None:
        self.connections: set[Any] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is none of our errors."""
