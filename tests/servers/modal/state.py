# SPDX-License-Identifier: Apache-2.0
"""What the server knows: apps, functions, calls and the containers that work on them."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import itertools
import os
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from grpclib import GRPCError, Status
from modal_proto import api_pb2 as pb

from tests.servers.modal.volumes import Checkout, Volume

Result = pb.GenericResult
SUCCESS = Result.GENERIC_STATUS_SUCCESS


def refuse(status: Status, message: str) -> NoReturn:
    raise GRPCError(status, message)


class Pulse:
    """Wakes everybody who waits; who comes later waits for the next beat."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def beat(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, timeout_s: float) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._event.wait(), max(timeout_s, 0))


@dataclass
class App:
    id: str
    name: str
    state: int
    functions: dict[str, Function] = field(default_factory=dict)
    logs: list[pb.TaskLogsBatch] = field(default_factory=list)
    pulse: Pulse = field(default_factory=Pulse)
    heartbeat: float = field(default_factory=time.monotonic)
    left: bool = False
    stopping: bool = False
    stopped: bool = False

    def log(self, task: Task, data: str, descriptor: int) -> None:
        """What a container printed; it belongs to the call that the container worked on last."""
        call = task.input.call.id if task.input else ""
        item = pb.TaskLogs(
            data=data,
            file_descriptor=descriptor,
            timestamp=time.time(),
            timestamp_ns=time.time_ns(),
            function_call_id=call,
        )
        entry = str(len(self.logs) + 1)
        self.logs.append(pb.TaskLogsBatch(task_id=task.id, function_id=task.function.id, items=[item], entry_id=entry))
        self.pulse.beat()


@dataclass
class Function:
    id: str
    app: App
    name: str
    metadata: pb.FunctionHandleMetadata
    definition: pb.Function = field(default_factory=pb.Function)
    queue: collections.deque[Input] = field(default_factory=collections.deque)
    tasks: dict[str, Task] = field(default_factory=dict)
    pulse: Pulse = field(default_factory=Pulse)

    @property
    def gpu(self) -> str:
        """As it was asked for: ``L40S:2``; empty without one."""
        wanted = self.definition.resources.gpu_config
        return f"{wanted.gpu_type}:{wanted.count}" if wanted.count else ""


@dataclass
class Input:
    """One argument list of a call: what a container takes, works on and answers.

    ``state`` is ``queued``, ``running``, ``waiting`` (for its next attempt) or ``done``.
    """

    id: str
    call: Call
    index: int
    item: pb.FunctionInput
    state: str = "queued"
    attempt: int = 0
    interruptions: int = 0
    task: Task | None = None
    deadline: float | None = None
    outcome: int = 0


@dataclass
class Call:
    id: str
    function: Function
    created: float = field(default_factory=time.time)
    inputs: list[Input] = field(default_factory=list)
    outputs: list[pb.FunctionGetOutputsItem] = field(default_factory=list)
    pulse: Pulse = field(default_factory=Pulse)
    cancelled: bool = False


@dataclass
class Task:
    """A container. ``input`` is what it works on, or worked on last; ``retired`` ones take no more."""

    id: str
    function: Function
    folder: Path
    process: asyncio.subprocess.Process | None = None
    input: Input | None = None
    busy: bool = False
    retired: bool = False
    why: str = ""
    to_cancel: list[str] = field(default_factory=list)
    pulse: Pulse = field(default_factory=Pulse)
    result: pb.GenericResult | None = None
    checkouts: dict[str, Checkout] = field(default_factory=dict)


@dataclass
class Request:
    """An RPC that came in: from the client, or from the container ``task``."""

    rpc: str
    message: Any
    task: str | None


@dataclass
class World:
    """All of it.

    Attributes:
        loses_commits: Whether ``Volume.commit()`` answers and does nothing.
        faults: gRPC statuses that the next requests of an RPC are answered with.
        containers: How many may run at once.
        crash_limit: How often a container may die under an input before the input fails.
        idle_s: How long a container without work waits for some.
        heartbeat_s: How long after its client's last heartbeat an app is stopped.
    """

    root: Path
    token: tuple[str, str] = ("ak-local", "as-local")
    containers: int = 2
    crash_limit: int = 2
    idle_s: float = 5.0
    heartbeat_s: float = 60.0
    loses_commits: bool = False
    http_url: str = ""
    apps: dict[str, App] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    calls: dict[str, Call] = field(default_factory=dict)
    inputs: dict[str, Input] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    images: dict[str, pb.Image] = field(default_factory=dict)
    mounts: dict[str, list[pb.MountFile]] = field(default_factory=dict)
    secrets: dict[str, tuple[str, Mapping[str, str]]] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    faults: dict[str, list[str]] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))
    _background: set[asyncio.Task[None]] = field(default_factory=set)

    def new_id(self, prefix: str) -> str:
        """In the style of the real ones; unguessable, since a client's memory outlives a server."""
        return f"{prefix}-{next(self._numbers):06d}{os.urandom(6).hex()}"

    def find(self, table: Mapping[str, Any], key: str, what: str) -> Any:
        return table[key] if key in table else refuse(Status.NOT_FOUND, f"{what} {key!r} not found")

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something in the background."""
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def folder(self, name: str) -> Path:
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder
