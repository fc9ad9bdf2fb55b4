# SPDX-License-Identifier: Apache-2.0
"""The server: a thread with sockets, and what tests can see of it and do to it."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from aiohttp import web
from grpclib.server import Server as GrpcServer
from modal_proto import api_pb2 as pb

from tests.servers.modal.apps import Apps
from tests.servers.modal.calls import Calls, Work
from tests.servers.modal.container import Container
from tests.servers.modal.http import application
from tests.servers.modal.images import Images, furnish
from tests.servers.modal.link import Link
from tests.servers.modal.scheduler import Scheduler
from tests.servers.modal.state import Call, Function, Request, Result, Task, World
from tests.servers.modal.storage import Storage
from tests.servers.modal.volumes import Checkout
from tests.servers.modal.wire import Wire


class ModalServer:
    """See the package. Also a context manager; it cannot be entered twice.

    Attributes:
        world: Everything it knows; tests read it and set its switches (``loses_commits``, ``heartbeat_s``, ...).
    """

    def __init__(self, root: Path, **settings: Any) -> None:
        self.world = World(root, **settings)
        self._scheduler = Scheduler(self.world, self._run)
        images, storage = Images(self.world), Storage(self.world)
        work = Work(self.world, self._scheduler)
        apps, calls = Apps(self.world, self._scheduler), Calls(self.world, self._scheduler)
        self._for_clients = [apps, calls, images, storage]
        self._for_containers = [work, images, storage]
        self._sockets = tempfile.TemporaryDirectory(prefix="modal-")
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="modal", daemon=True)

    def __enter__(self) -> ModalServer:
        self._thread.start()
        if not self._ready.wait(30):
            raise RuntimeError("the local Modal did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        self._sockets.cleanup()

    # ------------------------------------------------------------------ what tests see
    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a client finds this server, and nothing of a real account."""
        token_id, token_secret = self.world.token
        return {
            "MODAL_SERVER_URL": f"http://127.0.0.1:{self._link.port}",
            "MODAL_TOKEN_ID": token_id,
            "MODAL_TOKEN_SECRET": token_secret,
            "MODAL_CONFIG_PATH": os.devnull,
        }

    @property
    def functions(self) -> list[Function]:
        """Those that were created, in order."""
        return list(self.world.functions.values())

    @property
    def calls(self) -> list[Call]:
        """In the order in which they were made."""
        return list(self.world.calls.values())

    def requests(self, rpc: str) -> list[Request]:
        """Every request of this RPC so far."""
        return [request for request in list(self.world.requests) if request.rpc == rpc]

    def volume(self, name: str) -> Path:
        """What is committed of a Volume, as a folder."""
        return next(volume.folder for volume in self.world.volumes.values() if volume.name == name)

    def wait(self, condition: Callable[[], object], timeout_s: float = 60.0) -> None:
        """Wait until something is so."""
        until = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > until:
                raise AssertionError("it did not come to pass")
            time.sleep(0.05)

    # ------------------------------------------------------------------ what tests do
    def secret(self, name: str, **values: str) -> None:
        """Make a Secret."""
        self.world.secrets[self.world.new_id("st")] = (name, values)

    def fault(self, rpc: str, *statuses: str) -> None:
        """Answer the next requests of an RPC with gRPC statuses such as ``UNAVAILABLE``."""
        self.world.faults.setdefault(rpc, []).extend(statuses)

    def preempt(self, grace_s: float = 5.0) -> None:
        """Take away the containers that work."""

        async def all_of_them() -> None:
            busy = [task for task in self.world.tasks.values() if task.busy]
            await asyncio.gather(*(self._scheduler.preempt(task, grace_s) for task in busy))

        self._do(all_of_them())

    def cut(self) -> None:
        """Lose the network between the clients and the server; containers go on."""
        self._loop.call_soon_threadsafe(self._link.cut)

    def mend(self) -> None:
        """Have it back, under the same address."""
        self._do(self._link.mend())

    # ------------------------------------------------------------------ inside
    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        http = web.AppRunner(application(self.world), access_log=None)
        await http.setup()
        site = web.TCPSite(http, "127.0.0.1", 0)
        await site.start()
        self.world.http_url = f"http://127.0.0.1:{http.addresses[0][1]}"
        grpc = GrpcServer([Wire(self.world, self._for_clients)])
        await grpc.start("127.0.0.1", 0)
        assert grpc._server is not None
        self._link = Link(grpc._server.sockets[0].getsockname()[1])
        await self._link.mend()
        watch = asyncio.create_task(self._scheduler.watch())
        self._ready.set()
        await self._stop.wait()
        for task in list(self.world.tasks.values()):
            self._scheduler.kill(task, "server stopped")
        while self.world.tasks:
            await asyncio.sleep(0.02)
        watch.cancel()
        self._link.cut()
        grpc.close()
        await grpc.wait_closed()
        await http.cleanup()

    async def _run(self, task: Task) -> int:
        """Start a container, listen to it, and wait for its end."""
        try:
            container = await asyncio.to_thread(self._container, task)
            socket = GrpcServer([Wire(self.world, self._for_containers, task)])
            await socket.start(path=str(container.inside / "server.sock"))
            try:
                return await self._listen_to(task, container)
            finally:
                socket.close()
                await socket.wait_closed()
        except Exception as error:  # a bug of this server: say so, or the client waits for ever
            traceback.print_exc()
            task.result = Result(status=Result.GENERIC_STATUS_FAILURE, exception=f"the local server failed: {error!r}")
            return -1

    async def _listen_to(self, task: Task, container: Container) -> int:
        task.process = await container.start()
        assert task.process.stdout is not None and task.process.stderr is not None
        await asyncio.gather(
            self._scheduler.read(task, task.process.stdout, 1), self._scheduler.read(task, task.process.stderr, 2)
        )
        return await task.process.wait()

    def _container(self, task: Task) -> Container:
        function, app = task.function, task.function.app
        container = Container(task.folder, Path(self._sockets.name) / task.id)
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        container.environment |= {"PATH": path, "HOME": "/root", "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
        furnish(container, self.world, function.definition)
        for mount in function.definition.volume_mounts:
            checkout = Checkout(self.world.volumes[mount.volume_id], task.folder / "volumes" / mount.volume_id)
            checkout.folder.mkdir(parents=True)
            checkout.reload()
            task.checkouts[mount.volume_id] = checkout
            container.binds.append((checkout.folder, mount.mount_path))
        container.environment |= {
            "MODAL_SERVER_URL": "unix:///modal/server.sock",
            "MODAL_IS_REMOTE": "1",
            "MODAL_TASK_ID": task.id,
            "MODAL_IMAGE_ID": function.definition.image_id,
            "MODAL_CONTAINER_ARGUMENTS_PATH": "/modal/arguments",
            "MODAL_ENVIRONMENT": "main",
        }
        handle = pb.Object(object_id=function.id, function_handle_metadata=function.metadata)
        arguments = pb.ContainerArguments(
            task_id=task.id,
            function_id=function.id,
            app_id=app.id,
            function_def=function.definition,
            app_layout=pb.AppLayout(objects=[handle], function_ids={function.name: function.id}),
            environment_name="main",
        )
        (container.inside / "arguments").write_bytes(arguments.SerializeToString())
        return container
