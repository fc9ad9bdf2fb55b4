# SPDX-License-Identifier: Apache-2.0
"""What a driver and an engine in a process of its own say to each other, and how it gets across.

A message is :data:`MAGIC`, four bytes of length (big endian), and so much JSON, on a stream socket. Its arrays follow
one another as ``.npy`` in an anonymous file, whose descriptor comes with the message.

The host says ``hello`` with its :data:`PROTOCOL`. Then the driver sends ``call``, one at a time, and hears ``progress``
and ``beat`` (a sign of life) until ``result``, ``error`` or ``cancelled`` ends it. ``cancel`` takes effect when the
engine next reports progress.

Both ends import this, under any Python from 3.10 on: standard library only, and numpy where arrays are sent.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import select
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import IO, Any

PROTOCOL = 2
"""Raised when a message changes its meaning."""
FROM_HOST: dict[str, set[str]] = {
    "hello": {"protocol", "python"},
    "progress": {"method", "arguments"},
    "beat": set(),
    "result": {"value"},
    "error": {"kinds", "text", "message", "hint"},
    "cancelled": set(),
}
"""What a host says, and what is in it."""
MAGIC = b"FVHE"
MOST_BYTES = 1 << 26
"""No message is longer; arrays are not part of it."""

_HEAD = struct.Struct(">4sI")
_NO_MESSAGE = (ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, RecursionError)
_FILES = 1
"""Most descriptors that come with a message."""


class ProtocolError(Exception):
    """What came over the channel is no message."""


class Channel:
    """Either end of the socket. Any thread may send; one receives."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._sending = threading.Lock()
        self._data = bytearray()
        self._files: list[int] = []

    def send(self, kind: str, **content: Any) -> None:
        """Send a message; see :func:`encode` for what its content may be.

        Raises:
            OSError: The other end is gone.
            TypeError: Something in it cannot be sent.
        """
        arrays: list[Any] = []
        body = json.dumps({"kind": kind, "content": encode(content, arrays)}).encode()
        head = _HEAD.pack(MAGIC, len(body))
        with self._sending, _written(arrays) as file:
            if file is not None:
                socket.send_fds(self._end, [head], [file])
            else:
                self._end.sendall(head)
            self._end.sendall(body)

    def receive(self, timeout_s: float | None = None) -> tuple[str, dict[str, Any]] | None:
        """The next message, its kind and content; None when there is none within ``timeout_s``.

        Raises:
            EOFError: The other end is gone.
            ProtocolError: What came is no message. The channel is not to be used any more.
        """
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while (message := self._complete()) is None:
            left_s = None if until is None else max(until - time.monotonic(), 0)
            if not _readable(self._end, left_s):
                return None
            try:
                data, files, _, _ = socket.recv_fds(self._end, 1 << 16, _FILES)
            except ConnectionResetError:
                data, files = b"", []
            self._files += files
            if not data:
                raise EOFError
            self._data += data
        return message

    def close(self) -> None:
        """Close this end."""
        while self._files:
            os.close(self._files.pop())
        self._end.close()

    def _complete(self) -> tuple[str, dict[str, Any]] | None:
        if not MAGIC.startswith(self._data[: len(MAGIC)]):
            raise ProtocolError(f"{bytes(self._data[:40])!r} is not the beginning of a message")
        if len(self._data) < _HEAD.size:
            return None
        _, length = _HEAD.unpack_from(self._data)
        if length > MOST_BYTES:
            raise ProtocolError(f"a message of {length} bytes")
        if len(self._data) < _HEAD.size + length:
            return None
        body = bytes(self._data[_HEAD.size : _HEAD.size + length])
        del self._data[: _HEAD.size + length]
        try:
            message = json.loads(body)
            with contextlib.ExitStack() as stack:
                # a file that no array asks for waits for the message that does: it may have come with these bytes
                arrays = functools.cache(lambda: stack.enter_context(os.fdopen(self._files.pop(0), "rb")))
                return str(message["kind"]), dict(decode(message["content"], arrays))
        except _NO_MESSAGE as error:
            raise ProtocolError(f"{body[:80]!r} is no message ({type(error).__name__}: {error})") from error


def encode(value: Any, arrays: list[Any]) -> Any:
    """``value`` as JSON; the numpy arrays in it are added to ``arrays``.

    Dataclasses keep their fields and properties, under the name of their class; tuples become lists.

    Raises:
        TypeError: It is, or holds, something else.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [encode(item, arrays) for item in value]
    if isinstance(value, dict):
        return {"dict": {str(key): encode(item, arrays) for key, item in value.items()}}
    if isinstance(value, PurePath):
        return {"path": str(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        computed = {
            name: getattr(value, name)
            for kind in type(value).__mro__
            for name, item in vars(kind).items()
            if isinstance(item, (property, functools.cached_property))
        }
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {"record": [type(value).__name__, *(encode(part, arrays) for part in (fields, computed))]}
    if hasattr(value, "__array_interface__"):
        arrays.append(value)
        return {"array": len(arrays) - 1}
    raise TypeError(f"a {type(value).__name__} cannot be sent to or from an engine in a process of its own")


def decode(value: Any, file: Callable[[], Any]) -> Any:
    """The inverse of :func:`encode`; a dataclass becomes another one with the same name, fields and properties.

    Args:
        file: Gives the open file with the arrays, in the order of their numbers.
    """
    if isinstance(value, list):
        return [decode(item, file) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "dict":
        return {key: decode(item, file) for key, item in content.items()}
    if kind == "path":
        return Path(content)
    if kind == "array":
        import numpy as np

        return np.load(file(), allow_pickle=False)
    if kind == "record":
        name, fields, computed = content[0], *(decode(part, file) for part in content[1:])
        record = _record_class(name, tuple(fields))(**fields)
        vars(record).update(computed)
        return record
    raise ValueError(f"{kind} is nothing that is sent")


_record_class = functools.cache(dataclasses.make_dataclass)  # makes the source of a class and compiles it


@contextlib.contextmanager
def _written(arrays: list[Any]) -> Iterator[int | None]:
    """A descriptor of a file without a name that holds the arrays, until the block ends; None for no arrays."""
    if not arrays:
        yield None
        return
    import numpy as np

    with _anonymous_file() as file:
        for array in arrays:
            np.save(file, array, allow_pickle=False)
        file.flush()
        file.seek(0)
        yield file.fileno()


def _anonymous_file() -> IO[bytes]:
    """In memory where there is such a thing; a file in /dev/shm would be bounded, and left behind by a kill."""
    try:
        return os.fdopen(os.memfd_create("fvhydra"), "wb")
    except (AttributeError, OSError):
        return tempfile.TemporaryFile()


def _readable(end: socket.socket, timeout_s: float | None) -> bool:
    poll = select.poll()  # select() knows no descriptor beyond 1023
    poll.register(end, select.POLLIN)
    return bool(poll.poll(None if timeout_s is None else timeout_s * 1000))
