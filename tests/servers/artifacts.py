# SPDX-License-Identifier: Apache-2.0
"""A CI that keeps artifacts: some are there, some want a login, some never end."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "planted_ci_token_0123456789"


class Artifacts(ThreadingHTTPServer):
    """Answers with ``files``; ``/secret/...`` only to the token; keeps the headers of what it was asked."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.files = files
        self.asked: list[tuple[str, str | None]] = []
        self.elsewhere = ""
        """Address that ``/moved/...`` redirects to."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextlib.contextmanager
def artifacts(files: dict[str, bytes] | None = None) -> Iterator[Artifacts]:
    """A server of its own, as long as the block."""
    server = Artifacts(files or {})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Answers(BaseHTTPRequestHandler):
    server: Artifacts

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        token = self.headers.get("Authorization")
        self.server.asked.append((self.path, token))
        if path.startswith("/moved/"):
            return self._say(302, b"", Location=f"{self.server.elsewhere}{path.removeprefix('/moved')}")
        if path.startswith("/secret/") and token != f"Bearer {TOKEN}":
            return self._say(401, b"who are you?")
        if path == "/login":
            return self._say(200, b"<html>Sign in</html>", **{"Content-Type": "text/html; charset=utf-8"})
        if path == "/broken":
            return self._say(503, b"")
        if path == "/endless":
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(b"x" * 2**20)
        body = self.server.files.get(path.removeprefix("/secret"))
        return self._say(404, b"") if body is None else self._say(200, body)

    def _say(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing: tests look at what was asked."""
