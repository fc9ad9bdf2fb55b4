# SPDX-License-Identifier: Apache-2.0
"""The gRPC side: every RPC of the protocol, answered by the method of its name if there is one."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from grpclib import GRPCError, Status
from grpclib.const import Handler
from grpclib.exceptions import StreamTerminatedError
from modal_proto.api_grpc import ModalClientBase

from tests.servers.modal.state import Request, Task, World, refuse

Answer = Callable[[Any, Task | None], Awaitable[Any] | AsyncIterator[Any]]


class Wire:
    """What one socket offers. ``task`` is the container that speaks through it; None for clients."""

    def __init__(self, world: World, groups: Sequence[object], task: Task | None = None) -> None:
        self._world, self._groups, self._task = world, groups, task

    def __mapping__(self) -> dict[str, Handler]:
        return {
            path: Handler(self._answering(known.func), known.cardinality, known.request_type, known.reply_type)
            for path, known in ModalClientBase.__mapping__(_Names()).items()
        }

    def _answering(self, rpc: str) -> Any:
        answer: Answer | None = next((getattr(group, rpc) for group in self._groups if hasattr(group, rpc)), None)

        async def handle(stream: Any) -> None:
            message = await stream.recv_message()
            self._admit(rpc, message, dict(stream.metadata))
            if answer is None:
                refuse(Status.UNIMPLEMENTED, f"{rpc} is not known to the local server")
            with contextlib.suppress(StreamTerminatedError):  # the other side has left
                if inspect.isasyncgenfunction(answer):
                    async for reply in answer(message, self._task):
                        await stream.send_message(reply)
                else:
                    await stream.send_message(await answer(message, self._task))

        return handle

    def _admit(self, rpc: str, message: Any, metadata: dict[str, Any]) -> None:
        self._world.requests.append(Request(rpc, message, self._task.id if self._task else None))
        token = (metadata.get("x-modal-token-id"), metadata.get("x-modal-token-secret"))
        if self._task is None and rpc != "ClientHello" and token != self._world.token:
            refuse(Status.UNAUTHENTICATED, "Token ID is malformed or unknown")
        if self._world.faults.get(rpc):
            raise GRPCError(Status[self._world.faults[rpc].pop(0)], "injected fault")


class _Names:
    """Stands for a service while its RPCs are listed: each method is its own name."""

    def __getattr__(self, name: str) -> str:
        return name
