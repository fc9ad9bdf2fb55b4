# SPDX-License-Identifier: Apache-2.0
"""What other processes do to a store while a test looks on.

A store is named by a function that opens it; each process calls it, so it must be possible to pickle it.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from fvhydra.core.errors import FvhydraError
from fvhydra.stores.base import Store

OpenStore = Callable[[], Store]

_OUTWARD = (socket.socket, sqlite3.Connection, sqlite3.Cursor)
_MOVING = ("send", "recv", "execute", "executemany", "executescript", "commit")
"""Methods by which bytes leave this process without an event that Python audits."""

processes = multiprocessing.get_context("forkserver")
"""Starts processes by a server that forks before it has threads: quick, and sound on every version of Python."""


def preload(*modules: str) -> None:
    """Let that server, if it has not started yet, import what its processes need."""
    processes.set_forkserver_preload([__name__, *modules])


preload("fvhydra.stores.local", "fvhydra.stores.commit_request")


def at_once(count: int, go: Path, work: Callable[..., Any], *arguments: Any) -> list[Any]:
    """Results of ``work(*arguments, index)`` in ``count`` processes that start in the same moment."""
    with ProcessPoolExecutor(count, mp_context=processes) as pool:
        futures: list[Future[Any]] = [pool.submit(_when, go, work, *arguments, index) for index in range(count)]
        time.sleep(0.2)
        go.touch()
        return [future.result() for future in futures]


def _when(go: Path, work: Callable[..., Any], *arguments: Any) -> Any:
    while not go.exists():
        time.sleep(0.001)
    return work(*arguments)


def compete(open_store: OpenStore, count: int, index: int) -> str:
    """Try to take a name that all want, then make ``count`` commits that get in nobody's way."""
    store = open_store()
    try:
        store.commit({"wanted": b"%d" % index, f"won/{index}": b""}, must_be_absent=True, message="wanted")
        outcome = "won"
    except FvhydraError as error:
        outcome = type(error).__name__
    for number in range(count):
        store.commit({f"own/{index}/{number}": b"%d %d" % (index, number)}, message="own")
    return outcome


def commit_in_step(open_store: OpenStore, number: int) -> None:
    """One commit that replaces three files, so that a mixture would show."""
    contents = {f"step/{name}": f"{number} {name}".encode() for name in "abc"}
    open_store().commit(contents, message=f"step {number}", provenance={"operation": f"step-{number}"})


def commit_for_ever(open_store: OpenStore, first: int, begun: Event | None = None) -> None:
    """Make one commit after the other, until the process is killed."""
    open_store().head()
    if begun:
        begun.set()
    for number in itertools.count(first):
        commit_in_step(open_store, number)


def die_at(open_store: OpenStore, number: int, calls: int) -> None:
    """Like :func:`commit_in_step`, but killed right before the ``calls``-th call to the operating system.

    Those that Python audits (open, link, rename, remove, mkdir, chmod, listdir, connect, ...) and those that move bytes
    over a connection or to a database; of every thread.
    """
    counter = itertools.count()

    def count() -> None:
        if next(counter) == calls:
            os.kill(os.getpid(), signal.SIGKILL)

    def audited(event: str, _: object) -> None:
        if event == "open" or event.startswith(("os.", "socket.")):
            count()

    def profiled(_: object, event: str, called: Any) -> None:
        if event == "c_call" and called.__name__ in _MOVING and isinstance(called.__self__, _OUTWARD):
            count()

    sys.addaudithook(audited)
    threading.setprofile(profiled)
    sys.setprofile(profiled)
    commit_in_step(open_store, number)
