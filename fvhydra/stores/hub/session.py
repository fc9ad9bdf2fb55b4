# SPDX-License-Identifier: Apache-2.0
"""How huggingface_hub talks to the network while a store asks it something."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from huggingface_hub import constants, get_session, set_client_factory
from huggingface_hub.utils import (  # type: ignore[attr-defined]  # public, but loaded_assets lazily
    disable_progress_bars,
    hf_raise_for_status,
)

from fvhydra.core.errors import Corrupt
from fvhydra.stores.hub.http import httpx

PASSING = (408, 409, 425, 429, 500, 502, 503, 504)
"""Statuses that may be gone the next time."""

BROKEN = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError)
"""A connection that failed, whenever it did."""

_XET_PATIENCE = {"HF_XET_CLIENT_RETRY_MAX_ATTEMPTS": "2", "HF_XET_CLIENT_RETRY_BASE_DELAY": "200ms"}

MOST_BYTES = 256 * 2**20
"""Of an answer that is no file: a listing, a history."""

_NAMING = ("ETag", "X-Linked-ETag", "X-Repo-Commit")
"""Headers that huggingface_hub names files by."""

_TAG = re.compile(r'(W/)?"?[\w.:-]*"?', re.ASCII)


class _Asking:
    """How many questions of stores are being asked in this process, and what was set before the first."""

    count = 0
    lock = threading.Lock()
    here = threading.local()
    xet_disabled = False


class _Client(httpx.Client):
    """Never waits for ever, and reports every failure at once while a store asks.

    Some calls of huggingface_hub ask for no time limit, and some try again by themselves, up to five times and as long
    as a ``Retry-After`` says. A store has one bound for all of that, so its own is the only patience.
    """

    def build_request(self, *arguments: Any, data: Any = None, **settings: Any) -> httpx.Request:
        if data is not None and not isinstance(
            data, Mapping
        ):  # huggingface_hub sends bytes and files by a name that is given up
            data, settings["content"] = None, data
        return super().build_request(*arguments, data=data, **settings)

    def send(self, request: httpx.Request, **settings: Any) -> httpx.Response:
        limits = request.extensions.get("timeout", {})
        # downloads bring a limit of huggingface_hub's own along
        if _Asking.count or None in limits.values() or not limits:
            request.extensions["timeout"] = self.timeout.as_dict()
        if not _Asking.count:
            return super().send(request, **settings)
        with _reported():
            response = super().send(request, **settings)
        if not response.is_stream_consumed and isinstance(response.stream, httpx.SyncByteStream):
            response.stream = _Body(response.stream, getattr(_Asking.here, "most_bytes", MOST_BYTES))
        if request.method == "HEAD":  # by which files of the cache are named
            _check_names(response.headers)
        if response.status_code in PASSING:
            response.read()
            hf_raise_for_status(response)
        return response


class _Body(httpx.SyncByteStream):
    """What arrives after the headers: a download that breaks off or stalls is reported like any other request.

    It ends: more than was announced is not taken.
    """

    def __init__(self, stream: httpx.SyncByteStream, most_bytes: int) -> None:
        self._stream = stream
        self._left = most_bytes

    def __iter__(self) -> Iterator[bytes]:
        with _reported():
            for part in self._stream:
                self._left -= len(part)
                if self._left < 0:
                    raise Corrupt("The Hub sends more bytes than it says that there are.")
                yield part

    def close(self) -> None:
        self._stream.close()


def _check_names(headers: httpx.Headers) -> None:
    """Let huggingface_hub name no file of its cache by what leads elsewhere.

    Raises:
        Corrupt: A hash in the headers is none.
    """
    for header in _NAMING:
        if not _TAG.fullmatch(headers.get(header, "")):
            raise Corrupt(f"The Hub sends {headers[header]!r} as {header}, which is none.")


@contextlib.contextmanager
def _reported() -> Iterator[None]:
    """Make of a broken connection what huggingface_hub does not try again after."""
    try:
        yield
    except BROKEN as error:
        raise ConnectionError(str(error) or type(error).__name__) from error


@contextlib.contextmanager
def asking(timeout_s: float, xet: bool, most_bytes: int = MOST_BYTES) -> Iterator[None]:
    """Bound what huggingface_hub does in this block, in the whole process.

    Args:
        timeout_s: Longest wait for the network to move.
        xet: False keeps it to plain HTTP.
        most_bytes: Of one answer, in this thread.
    """
    for name, value in _XET_PATIENCE.items():  # by default an unreachable Xet server takes six minutes to fail
        os.environ.setdefault(name, value)
    if constants.HF_HUB_DISABLE_PROGRESS_BARS is None:
        disable_progress_bars()  # they would tear fvhydra's own display apart
    with _Asking.lock:
        if _Asking.count == 0:  # else it would be closed under a question of another thread
            _bound(timeout_s)
            _Asking.xet_disabled = constants.HF_HUB_DISABLE_XET
        _Asking.count += 1
        constants.HF_HUB_DISABLE_XET = constants.HF_HUB_DISABLE_XET or not xet
    _Asking.here.most_bytes = most_bytes
    try:
        yield
    finally:
        _Asking.here.most_bytes = MOST_BYTES
        with _Asking.lock:
            _Asking.count -= 1
            if _Asking.count == 0:
                constants.HF_HUB_DISABLE_XET = _Asking.xet_disabled


def _bound(timeout_s: float) -> None:
    """Put our client in place of one without time limits; one that somebody made with limits of their own stays."""
    wanted, present = httpx.Timeout(timeout_s), get_session()
    ours = isinstance(present, _Client)
    if (ours and present.timeout != wanted) or (not ours and present.timeout == httpx.Timeout(None)):
        hooks = present.event_hooks
        set_client_factory(lambda: _Client(event_hooks=hooks, follow_redirects=True, timeout=wanted))
