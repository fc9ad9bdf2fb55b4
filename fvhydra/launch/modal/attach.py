# SPDX-License-Identifier: Apache-2.0
"""Coming back to the calls of a sweep from another process."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fvhydra.config.launcher import ModalLauncherConfig
from fvhydra.core.errors import UsageError
from fvhydra.launch import attempts, resume
from fvhydra.launch.base import NOT_STARTED, REUSED, SweepObserver
from fvhydra.launch.job import not_run
from fvhydra.launch.job_file import read_job
from fvhydra.launch.modal.call_log import latest
from fvhydra.launch.modal.calls import ModalCalls
from fvhydra.launch.modal.errors import explained
from fvhydra.launch.outcome import outcome


def attach(sweep: Path, observer: SweepObserver) -> None:
    """Follow the jobs of a sweep that have not come to a verdict, and tell the observer of all, as the sweep would.

    Raises:
        UsageError: There is no sweep that was given to Modal, or another command is with it.
        InfrastructureError: Modal cannot be reached.
        KeyboardInterrupt: Calls that were made with ``launcher.detach=true`` go on; the others have been stopped.
    """
    known = latest(sweep)
    if not known:
        raise UsageError(
            f"run={sweep} is not the folder of a sweep with launcher=modal (it has no modal.json).",
            "Give the folder below multirun/ that the earlier command printed.",
        )
    observer.begin(sweep)
    running = []
    for job in (read_job(sweep / str(number)) for number in attempts.numbers(sweep)):
        call = known.get((job.number, job.fingerprint))
        if (result := resume.settled(job.folder.path)) is not None:
            observer.ended(job, result, REUSED)
        elif call is None:
            observer.ended(job, not_run(job, "Modal was never given it"), NOT_STARTED)
        elif call.closed:
            observer.ended(job, outcome(job, "", interrupted=True), REUSED)
        else:
            attempts.set_aside(job.folder.path, keep=("job.json",))
            running.append((job, call))
    if running:
        settings = running[0][0].config.launcher
        assert isinstance(settings, ModalLauncherConfig)
        with explained():
            interrupted = asyncio.run(
                ModalCalls(sweep, settings, observer.listen, observer.ended, running).to_the_end()
            )
        if interrupted:
            raise KeyboardInterrupt
