# SPDX-License-Identifier: Apache-2.0
"""The launcher: from jobs to calls, and from their answers to results."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import yaml

from fvhydra.config.launcher import ModalLauncherConfig
from fvhydra.launch import attempts
from fvhydra.launch.base import Launcher
from fvhydra.launch.job import Job
from fvhydra.launch.modal.call_log import ModalCall, latest
from fvhydra.launch.modal.calls import ModalCalls
from fvhydra.launch.modal.errors import explained
from fvhydra.launch.modal.payload import refuse_unsendable
from fvhydra.launch.modal.polling import is_open
from fvhydra.launch.modal.resources import (
    build_app,
    facts,
    function_options,
    gpu_string,
    mounts,
    named_secrets,
    packages,
    sources,
    volume,
)
from fvhydra.launch.outcome import outcome
from fvhydra.launch.tokens import check_stores


class ModalLauncher(Launcher):
    """Spawns a call for each job, follows all of them, and fetches what they made."""

    settings: ModalLauncherConfig
    attaches = True
    packages = ("modal",)

    def check(self, jobs: Sequence[Job]) -> None:
        """Refuse jobs that cannot be sent, a GPU that Modal does not have, a token or Secret that it does not know."""
        self.describe(jobs)
        if not self.settings.secrets:  # one may hold a token; what is in them is Modal's secret
            check_stores(jobs, self.settings, ", or name a Secret that has one: launcher.secrets=[<name>]")
        with explained():
            for item in (*map(volume, mounts(self.settings)), *named_secrets(self.settings)):
                item.hydrate()

    def describe(self, jobs: Sequence[Job]) -> list[str]:
        """The functions with their parameters, as YAML.

        Raises:
            UsageError: A job cannot be sent, or wants a GPU that Modal does not have.
        """
        for job in jobs:
            refuse_unsendable(job)
        shared = {"facts": facts(self.settings), "pip_install": packages(self.settings)}
        shared |= {"sources": sources(self.settings)}
        shared |= {"volumes": mounts(self.settings), "secrets": [*self.settings.secrets, *self.settings.pass_env]}
        functions = []
        for gpu in sorted({gpu_string(job) for job in jobs}, key=str):
            numbers = [job.number for job in jobs if gpu_string(job) == gpu]
            functions.append({"jobs": numbers, **function_options(self.settings, gpu), "detach": self.settings.detach})
        described = {"app": self.settings.app, "functions": functions, **shared}
        return yaml.safe_dump(described, sort_keys=False, allow_unicode=True, width=120).splitlines()

    def run(self, jobs: Sequence[Job]) -> None:
        """Come back to the calls that still run, make the others, and follow them to their ends."""
        with explained():
            interrupted = asyncio.run(self._to_the_end(jobs))
        if interrupted:
            raise KeyboardInterrupt

    def attach(self, jobs: Sequence[Job]) -> None:
        """Follow the calls that were made; those that have ended are asked for what they answered."""
        known = latest(self.sweep_folder)
        running = []
        for job in jobs:
            call = known.get((job.number, job.fingerprint))
            if call is None:
                self.skipped(job, "Modal was never given it")
            elif call.closed:
                self.ended(job, outcome(job, "", interrupted=True))
            else:
                attempts.set_aside(job.folder.path, keep=("job.json",))
                running.append((job, call))
        calls = self._calls(running)
        with explained():
            interrupted = asyncio.run(calls.to_the_end())
        if interrupted:
            raise KeyboardInterrupt

    def _calls(self, running: list[tuple[Job, ModalCall]]) -> ModalCalls:
        return ModalCalls(self.sweep_folder, self.settings, self.listen, self.ended, running)

    async def _to_the_end(self, jobs: Sequence[Job]) -> bool:
        known = latest(self.sweep_folder)
        running, new = [], []
        for job in jobs:
            call = known.get((job.number, job.fingerprint))
            if call is not None and await is_open(call, self.settings.patience_s):
                running.append((job, call))
            else:
                new.append(job)
        calls = self._calls(running)
        if not new:
            return await calls.to_the_end()
        app, functions = build_app(self.settings, new)
        # an interruption comes back as an answer: the SDK would swallow one that passes through here
        async with app.run(detach=self.settings.detach):
            return await calls.to_the_end([(job, functions[gpu_string(job)]) for job in new])
