"""Coming back to the calls of a sweep from another process."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fvhydra.config.launcher import ModalLauncherConfig
from fvhydra.core.errors import UsageError
from fvhydra.launch import attempts
from fvhydra.launch.base import NOT_STARTED, REUSED, Audience
from fvhydra.launch.job import not_run
from fvhydra.launch.modal.calls import latest
from fvhydra.launch.modal.conduct import Conduct
from fvhydra.launch.modal.refusals import explained
from fvhydra.launch.outcome import outcome
from fvhydra.launch.ship import receive


def attach(sweep: Path, audience: Audience) -> None:
    """Follow the jobs of a sweep that have not come to a verdict, and tell the audience of all, as the sweep would.

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
    audience.begin(sweep)
    running = []
    for job in (receive(sweep / str(number)) for number in attempts.numbers(sweep)):
        call = known.get((job.number, job.fingerprint))
        if (result := attempts.settled(job.folder.path)) is not None:
            audience.ended(job, result, REUSED)
        elif call is None:
            audience.ended(job, not_run(job, "Modal was never given it"), NOT_STARTED)
        elif call.closed:
            audience.ended(job, outcome(job, "", interrupted=True), REUSED)
        else:
            attempts.set_aside(job.folder.path, keep=("job.json",))
            running.append((job, call))
    if running:
        settings = running[0][0].config.launcher
        assert isinstance(settings, ModalLauncherConfig)
        with explained():
            interrupted = asyncio.run(Conduct(sweep, settings, audience.listen, audience.ended, running).to_the_end())
        if interrupted:
            raise KeyboardInterrupt
