# SPDX-License-Identifier: Apache-2.0
"""Makes the calls of one command, follows them, and cancels or leaves them after an interruption."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fvhydra.config.launcher import ModalLauncherConfig
from fvhydra.core.errors import InfrastructureError
from fvhydra.core.progress import Progress
from fvhydra.core.result import RunResult
from fvhydra.launch.base import attach_command
from fvhydra.launch.job import Job, failed, record
from fvhydra.launch.modal import polling
from fvhydra.launch.modal.call_log import ModalCall, remember
from fvhydra.launch.modal.errors import OutOfReach, explanation, unreachable
from fvhydra.launch.modal.payload import pack, remote_folder
from fvhydra.launch.outcome import ending, outcome

_TOGETHER = 4
"""Jobs whose files are fetched at the same time."""


class ModalCalls:
    """Makes the calls of one command, follows them, and cancels or leaves them after an interruption."""

    def __init__(
        self,
        sweep: Path,
        settings: ModalLauncherConfig,
        listen: Callable[[Job], Progress],
        ended: Callable[[Job, RunResult], None],
        running: list[tuple[Job, ModalCall]],
    ) -> None:
        self._sweep, self._settings, self._running = sweep, settings, running
        self._listen, self._tell_ended = listen, ended
        self._comeback = attach_command(sweep)
        self._ended: set[int] = set()
        self._making = asyncio.Lock()
        self._fetching = asyncio.Semaphore(_TOGETHER)

    async def to_the_end(self, new: Sequence[tuple[Job, Any]] = ()) -> bool:
        """Follow the running calls, make those of ``new`` jobs with their functions and follow them too.

        Returns:
            Whether it was interrupted; what ran has been stopped then, unless it is to go on.
        """
        polling.forgive_abandoned_streams()
        try:
            async with asyncio.TaskGroup() as group:
                for job, call in list(self._running):
                    group.create_task(self._ended_by(self._follow(job, call), job))
                for job, function in new:
                    group.create_task(self._ended_by(self._make_and_follow(job, function), job))
        except (asyncio.CancelledError, KeyboardInterrupt):
            await self._let_go()
            return True
        return False

    async def _ended_by(self, course: Coroutine[Any, Any, RunResult], job: Job) -> None:
        """Tell how a job ended; an error is its own, and stops no other."""
        try:
            result = await course
        except Exception as error:
            result = failed(job, explanation(error) or error)
        self._end(job, result)

    async def _make_and_follow(self, job: Job, function: Any) -> RunResult:
        async with self._making:  # in the order of the jobs
            call = await self._make(job, function)
        return await self._follow(job, call)

    async def _make(self, job: Job, function: Any) -> ModalCall:
        """Spawn the call of a job. What Modal has been given is kept, whatever happens to this process."""
        folder = remote_folder(job, self._sweep.resolve().name)
        making = asyncio.ensure_future(function.spawn.aio(pack(job, self._settings, folder)))
        try:
            await asyncio.shield(making)
        finally:
            call = ModalCall(
                job=job.number,
                fingerprint=job.fingerprint,
                id=(await making).object_id,
                volume=self._settings.outputs_volume,
                folder=folder,
                detached=self._settings.detach,
            )
            remember(self._sweep, call)
            self._running.append((job, call))
        return call

    async def _follow(self, job: Job, call: ModalCall) -> RunResult:
        listener = self._listen(job)
        listener.stage("submitted", msg=call.id)
        log = asyncio.create_task(polling.logs(call, job.folder.path, listener))
        try:
            return await self._result(job, call, log)
        finally:
            log.cancel()
            await asyncio.gather(log, return_exceptions=True)

    def _end(self, job: Job, result: RunResult) -> None:
        self._ended.add(job.number)
        self._tell_ended(job, result)

    async def _result(self, job: Job, call: ModalCall, log: asyncio.Task[None]) -> RunResult:
        from modal import exception

        try:
            result = outcome(job, await self._collect(job, call, log))
        except OutOfReach:
            raise  # the call is left open: there is something to come back to
        except InfrastructureError as error:
            result = failed(job, error)
        except exception.FunctionTimeoutError:
            result = outcome(job, "ran into Modal's time limit")
        except (Exception, SystemExit) as error:  # whatever the function raised, or Modal says of its container
            await polling.last_words(log)
            result = outcome(job, f"was lost with its container ({type(error).__name__}: {error})")
        remember(self._sweep, replace(call, closed=True))
        return result

    async def _collect(self, job: Job, call: ModalCall, log: asyncio.Task[None]) -> str:
        """Wait for the answer and fetch the files; how the worker ended, in words."""
        patience_s = self._settings.patience_s
        answer = await polling.answer(call, patience_s, self._comeback)
        await polling.last_words(log)
        async with self._fetching:
            await polling.download(call, answer["files"], job.folder.path, patience_s)
        late = f"ran into launcher.timeout_s={self._settings.timeout_s:g}"
        return late if answer["late"] else ending(answer["returncode"])

    async def _let_go(self) -> None:
        """Cancel the calls that still run, unless they were made with ``launcher.detach=true``."""
        import modal

        for job, call in self._running:
            if job.number in self._ended:
                continue
            if not call.detached:
                with contextlib.suppress(*unreachable()):  # then it is asked about again by whoever comes back
                    await modal.FunctionCall.from_id(call.id).cancel.aio(terminate_containers=True)
                    remember(self._sweep, replace(call, closed=True))
            result = outcome(job, "", interrupted=True)
            if call.detached:
                result.message = f"It goes on at Modal; to come back to it: {self._comeback}."
                record(job.folder, result)
            self._end(job, result)
