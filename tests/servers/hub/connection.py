# SPDX-License-Identifier: Apache-2.0
"""HTTP: reading a request, answering it, and the faults in between."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

if TYPE_CHECKING:
    from tests.servers.hub.faults import Fault
    from tests.servers.hub.server import HubServer

_BLOCK = 1 << 16


class Refusal(Exception):
    """An answer that is no success. ``code`` is what the client chooses its exception by."""

    def __init__(self, status: int, message: str, code: str | None = None, headers: Mapping[str, str] | None = None):
        super().__init__(message)
        self.status, self.message = status, message
        self.headers = {"X-Error-Message": message, **(headers or {})} | ({"X-Error-Code": code} if code else {})


class Broken(ConnectionError):
    """The connection is gone, because of the client or of a fault."""


class Connection(BaseHTTPRequestHandler):
    """One connection of a client; ``route`` answers a request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = _BLOCK  # headers and body in one packet, or every answer costs 40 ms of delayed acknowledgement
    hub: HubServer

    def route(self, parts: list[str]) -> None:
        raise NotImplementedError

    def handle_request(self) -> None:
        url = urlsplit(self.path)
        path = unquote(url.path)
        self.query = {key: values[-1] for key, values in parse_qs(url.query, keep_blank_values=True).items()}
        self._unread = True
        self._record(path)
        self.fault = self._fault(path)
        try:
            self._before()
            self.route([unquote(part) for part in url.path.split("/")[1:]])
        except Refusal as refusal:
            self._refuse(refusal)
        except (Broken, OSError):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = handle_request

    def log_message(self, *_: object) -> None:
        pass

    def body(self) -> bytes:
        return b"".join(self._blocks())

    def json(self) -> Any:
        return json.loads(self.body() or b"{}")

    def answer(self, value: Any, status: int = 200, headers: Mapping[str, Any] | None = None) -> None:
        """Send JSON."""
        if self.fault and self.fault.action == "spoil":
            value, status = {"error": self.fault.message}, self.fault.status
        data = json.dumps(value).encode()
        self._head(status, len(data), {"Content-Type": "application/json", **(headers or {})})
        self._send(data)

    def answer_page(self, items: list[Any]) -> None:
        """Send one page of a listing, with the address of the next."""
        start, size = int(self.query.get("cursor", 0)), self.hub.page
        headers = {}
        if start + size < len(items):
            query = urlencode({**self.query, "cursor": start + size})
            headers["Link"] = f'<{self.hub.url}{urlsplit(self.path).path}?{query}>; rel="next"'
        self.answer(items[start : start + size], headers=headers)

    def answer_file(self, data: bytes, headers: Mapping[str, Any]) -> None:
        """Send a file, or the part of it that was asked for."""
        start, status = 0, 200
        asked = self.headers.get("Range")
        if asked:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = int(first), int(last or len(data) - 1)
            headers = {**headers, "Content-Range": f"bytes {start}-{end}/{len(data)}"}
            data, status = data[start : end + 1], 206
        self._head(status, len(data), {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes", **headers})
        if self.fault and self.fault.action == "flip" and data:
            data = bytes([data[0] ^ 1]) + data[1:]
        if self.fault and self.fault.action in ("truncate", "pause", "reset"):
            self._send(data[: self.fault.after_bytes])
            time.sleep(self.fault.seconds if self.fault.action == "pause" else 0.05)
            self._break(orderly=self.fault.action != "reset")
        if not self.hub.bytes_per_s:
            self._send(data)
        else:
            each = max(self.hub.bytes_per_s // 20, 1)
            for at in range(0, len(data), each):
                self._send(data[at : at + each])
                time.sleep(0.05)

    def _record(self, path: str) -> None:
        from tests.servers.hub.server import Request

        self._request = Request(self.command, path, "Authorization" in self.headers, self.headers.get("Range", ""))
        with self.hub.lock:
            self.hub.requests.append(self._request)

    def _fault(self, path: str) -> Fault | None:
        with self.hub.lock:
            return next((fault for fault in self.hub.faults if fault.takes(self.command, path)), None)

    def _before(self) -> None:
        fault = self.fault
        if fault is None:
            return
        if fault.action == "status":
            raise Refusal(fault.status, fault.message, fault.code, fault.headers)
        if fault.action == "call":
            fault.call()
        if fault.action in ("drop", "stall"):
            for _ in self._blocks():
                pass
            self._interrupt(fault.after_bytes)

    def _blocks(self) -> Iterator[bytes]:
        self._unread = False
        left, seen = int(self.headers.get("Content-Length") or 0), 0
        while left:
            self._interrupt(seen)
            block = self.rfile.read(min(left, _BLOCK))
            if not block:
                raise Broken
            left -= len(block)
            seen += len(block)
            yield block

    def _interrupt(self, seen: int) -> None:
        if self.fault and self.fault.action in ("drop", "stall") and seen >= self.fault.after_bytes:
            if self.fault.action == "stall":
                time.sleep(self.fault.seconds)
            self._break(self.fault.orderly)

    def _break(self, orderly: bool = False) -> None:
        self.wfile.flush()
        if orderly:
            self.connection.shutdown(socket.SHUT_RDWR)
        else:  # closing with this option sends a reset
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        raise Broken

    def _refuse(self, refusal: Refusal) -> None:
        try:
            self.answer({"error": refusal.message}, refusal.status, refusal.headers)
        except OSError:
            self.close_connection = True

    def _head(self, status: int, length: int, headers: Mapping[str, Any]) -> None:
        if self._unread:  # or the rest of this request would be read as the next
            self.body()
        if self.fault and self.fault.action == "lose":
            self._break(self.fault.orderly)
        self._request.status = status
        self.send_response(status)
        for name, value in {"X-Request-Id": "Root=1-test", **headers, "Content-Length": length}.items():
            self.send_header(name, str(value))
        self.end_headers()

    def _send(self, data: bytes) -> None:
        if self.command != "HEAD":
            self.wfile.write(data)
            self.wfile.flush()
