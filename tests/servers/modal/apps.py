# SPDX-License-Identifier: Apache-2.0
"""RPCs about apps: running one, hearing its logs, leaving it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from google.protobuf.empty_pb2 import Empty
from modal_proto import api_pb2 as pb

from tests.servers.modal.scheduler import Scheduler
from tests.servers.modal.state import App, Task, World


class Apps:
    def __init__(self, world: World, scheduler: Scheduler) -> None:
        self._world, self._scheduler = world, scheduler

    async def ClientHello(self, message: object, task: Task | None) -> pb.ClientHelloResponse:
        return pb.ClientHelloResponse()

    async def EnvironmentGetOrCreate(
        self, message: pb.EnvironmentGetOrCreateRequest, task: Task | None
    ) -> pb.EnvironmentGetOrCreateResponse:
        settings = pb.EnvironmentSettings(image_builder_version="2025.06")
        metadata = pb.EnvironmentMetadata(name="main", settings=settings)
        return pb.EnvironmentGetOrCreateResponse(environment_id="en-main", metadata=metadata)

    async def AppCreate(self, message: pb.AppCreateRequest, task: Task | None) -> pb.AppCreateResponse:
        app = App(self._world.new_id("ap"), message.description, message.app_state)
        self._world.apps[app.id] = app
        return pb.AppCreateResponse(app_id=app.id, app_page_url=f"{self._world.http_url}/apps/{app.id}")

    async def AppPublish(self, message: pb.AppPublishRequest, task: Task | None) -> pb.AppPublishResponse:
        app = self._app(message.app_id)
        app.state = message.app_state
        return pb.AppPublishResponse(url=f"{self._world.http_url}/apps/{app.id}", deployed_at=time.time())

    async def AppHeartbeat(self, message: pb.AppHeartbeatRequest, task: Task | None) -> Empty:
        self._app(message.app_id).heartbeat = time.monotonic()
        return Empty()

    async def AppClientDisconnect(self, message: pb.AppClientDisconnectRequest, task: Task | None) -> Empty:
        app = self._app(message.app_id)
        app.left = True
        if app.state == pb.APP_STATE_DETACHED:
            self._scheduler.stop_when_idle(app)
        else:
            self._world.begin(self._scheduler.stop(app))
        return Empty()

    async def AppGetLogs(self, message: pb.AppGetLogsRequest, task: Task | None) -> AsyncIterator[pb.TaskLogsBatch]:
        app = self._app(message.app_id)
        position = int(message.last_entry_id or 0)
        until = time.monotonic() + message.timeout
        while True:
            for batch in app.logs[position:]:
                position += 1
                if message.function_call_id in ("", batch.items[0].function_call_id):
                    yield batch
            if app.stopped:
                yield pb.TaskLogsBatch(app_done=True)
                return
            if time.monotonic() >= until:
                return
            await app.pulse.wait(min(until - time.monotonic(), 1.0))

    def _app(self, app_id: str) -> App:
        app: App = self._world.find(self._world.apps, app_id, "App")
        return app
