# SPDX-License-Identifier: Apache-2.0
"""Bringing inputs and containers together: starting, timing out, preempting, stopping."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import shutil
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from modal_proto import api_pb2 as pb

from tests.servers.modal.container import send
from tests.servers.modal.state import SUCCESS, App, Function, Input, Result, Task, World

_TICK_S = 0.1
_STOP_GRACE_S = 5.0
_LONGEST_DELAY_MS = 60_000

Run = Callable[[Task], Awaitable[int]]
"""Starts the container of a task and returns its exit code."""


class Scheduler:
    def __init__(self, world: World, run: Run) -> None:
        self._world, self._run = world, run

    # ------------------------------------------------------------------ containers
    def schedule(self, function: Function) -> None:
        """Start as many containers as the queue needs and the limits allow."""
        wanted = function.definition.autoscaler_settings.max_containers or self._world.containers
        room = min(wanted, self._world.containers) - len(function.tasks)
        idle = sum(not task.busy and not task.retired for task in function.tasks.values())
        for _ in range(min(len(function.queue) - idle, room)):
            task = Task(self._world.new_id("ta"), function, Path())
            task.folder = self._world.root / "tasks" / task.id
            function.tasks[task.id] = self._world.tasks[task.id] = task
            self._world.begin(self._live(task))
        function.pulse.beat()

    async def _live(self, task: Task) -> None:
        function = task.function
        code = await self._run(task)
        function.tasks.pop(task.id, None)
        self._world.tasks.pop(task.id, None)
        if task.input is not None and task.busy:
            self._orphaned(task.input, task, code)
        elif task.input is None and function.queue and code:  # it died before it took anything
            failed = Result(status=Result.GENERIC_STATUS_INIT_FAILURE, exception=f"Container failed to start ({code})")
            self.finish(function.queue.popleft(), task.result or failed)
        await asyncio.to_thread(shutil.rmtree, task.folder, ignore_errors=True)
        if function.queue and not function.app.stopping:
            self.schedule(function)
        self.stop_when_idle(function.app)

    def _orphaned(self, item: Input, task: Task, code: int) -> None:
        """The container is gone and its input is not done."""
        if task.result is not None:
            self.finish(item, task.result)
        elif item.call.function.app.stopping:
            self.finish(item, Result(status=Result.GENERIC_STATUS_TERMINATED, exception="App was stopped"))
        elif task.why == "preempted" or item.interruptions < self._world.crash_limit:
            item.interruptions += 1
            self._again(item, 0.0, first=True)
        else:
            message = f"Runner failed with exit code: {code}"
            self.finish(item, Result(status=Result.GENERIC_STATUS_FAILURE, exitcode=code & 0xFF, exception=message))

    def kill(self, task: Task, why: str) -> None:
        task.retired, task.why = True, why
        if task.process is not None:
            send(task.process, signal.SIGKILL)

    async def preempt(self, task: Task, grace_s: float) -> None:
        """An interrupt, a grace period, the end; the input runs again from its beginning."""
        task.retired, task.why = True, "preempted"
        if task.process is not None:
            send(task.process, signal.SIGINT)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(task.process.wait(), grace_s)
            send(task.process, signal.SIGKILL)

    async def read(self, task: Task, stream: asyncio.StreamReader, descriptor: int) -> None:
        """Pass on what a container prints."""
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        while data := await stream.read(1 << 16):
            task.function.app.log(task, decoder.decode(data), descriptor)

    # ------------------------------------------------------------------ inputs
    def take(self, task: Task) -> Input:
        """Give a container the next input of its function's queue."""
        item = task.function.queue.popleft()
        item.state, item.task = "running", task
        task.input, task.busy = item, True
        if limit := task.function.definition.timeout_secs:
            item.deadline = time.monotonic() + limit
        task.retired = task.retired or task.function.definition.single_use_containers
        return item

    def finish(self, item: Input, result: pb.GenericResult, data_format: int = 0) -> None:
        """An attempt has ended; another follows if the function has retries left."""
        task, item.task, item.deadline = item.task, None, None
        if task is not None:
            task.busy = False
        if item.state == "done":
            return
        call, policy = item.call, item.call.function.definition.retry_policy
        lost = result.status not in (SUCCESS, Result.GENERIC_STATUS_TERMINATED)
        if lost and not call.cancelled and not call.function.app.stopping and item.attempt < policy.retries:
            delay_ms = policy.initial_delay_ms * (policy.backoff_coefficient or 1) ** item.attempt
            item.attempt += 1
            self._again(item, min(delay_ms, policy.max_delay_ms or _LONGEST_DELAY_MS) / 1000)
            return
        item.state, item.outcome = "done", result.status
        call.outputs.append(
            pb.FunctionGetOutputsItem(
                result=result,
                idx=item.index,
                input_id=item.id,
                data_format=data_format,
                task_id=task.id if task else "",
                output_created_at=time.time(),
                retry_count=item.attempt,
            )
        )
        call.pulse.beat()
        self.stop_when_idle(call.function.app)

    def _again(self, item: Input, after_s: float, first: bool = False) -> None:
        item.state, item.task, item.deadline = "waiting", None, None

        async def requeue() -> None:
            await asyncio.sleep(after_s)
            if item.state == "waiting":
                item.state = "queued"
                queue = item.call.function.queue
                (queue.appendleft if first else queue.append)(item)
                self.schedule(item.call.function)

        self._world.begin(requeue())

    async def watch(self) -> None:
        """Enforce time limits, and stop the apps of clients that have gone silent."""
        while True:
            await asyncio.sleep(_TICK_S)
            now = time.monotonic()
            for task in list(self._world.tasks.values()):
                item = task.input
                if item is not None and task.busy and item.deadline and now > item.deadline:
                    message = f"Task's current input hit its timeout of {task.function.definition.timeout_secs}s"
                    self.finish(item, Result(status=Result.GENERIC_STATUS_TIMEOUT, exception=message))
                    self.kill(task, "timeout")
            for app in list(self._world.apps.values()):
                silent = now - app.heartbeat > self._world.heartbeat_s
                if app.state == pb.APP_STATE_EPHEMERAL and silent and not app.stopping:
                    self._world.begin(self.stop(app))

    # ------------------------------------------------------------------ apps
    def stop_when_idle(self, app: App) -> None:
        """A detached app that its client has left ends with its last input."""
        functions = app.functions.values()
        busy = any(function.queue or any(task.busy for task in function.tasks.values()) for function in functions)
        waiting = any(item.state == "waiting" and item.call.function.app is app for item in self._world.inputs.values())
        if app.state == pb.APP_STATE_DETACHED and app.left and not busy and not waiting and not app.stopping:
            self._world.begin(self.stop(app))

    async def stop(self, app: App) -> None:
        """Interrupt what runs, wait a little, kill."""
        if app.stopping:
            return
        app.stopping = True
        tasks = [task for function in app.functions.values() for task in function.tasks.values()]
        for function in app.functions.values():
            while function.queue:
                stopped = Result(status=Result.GENERIC_STATUS_TERMINATED, exception="App was stopped")
                self.finish(function.queue.popleft(), stopped)
            function.pulse.beat()
        for task in tasks:
            task.retired = True
            if task.busy and task.process is not None:
                send(task.process, signal.SIGINT)
        until = time.monotonic() + _STOP_GRACE_S
        while any(task.id in self._world.tasks for task in tasks):
            await asyncio.sleep(_TICK_S / 2)
            if time.monotonic() > until:
                for task in tasks:
                    self.kill(task, "app stopped")
        app.stopped = True
        app.pulse.beat()
