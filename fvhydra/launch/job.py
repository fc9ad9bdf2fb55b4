"""One job: a validated configuration and the folder it runs in. Every launcher runs jobs through here."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path

from fvhydra.config.root import Config
from fvhydra.core import files
from fvhydra.core.context import Context
from fvhydra.core.errors import FvhydraError
from fvhydra.core.loading import load_class
from fvhydra.core.progress import Fanout, Progress
from fvhydra.core.result import RunResult
from fvhydra.core.run import RunFolder
from fvhydra.core.verdict import Verdict
from fvhydra.ops.base import Op


@dataclass(frozen=True)
class Job:
    """One job of a command. ``title`` tells it from its neighbours in a sweep; ``command`` is what was typed."""

    number: int
    title: str
    config: Config
    folder: RunFolder
    command: list[str]

    @property
    def op(self) -> Op:
        """The operation; its module is imported now."""
        return op_class(self.config)(self.config.op)


def op_class(config: Config) -> type[Op]:
    """The class that ``op=`` chose; its module is imported now."""
    found: type[Op] = load_class(config.op._target_, "op", Op)
    return found


def run_job(job: Job, listener: Progress) -> RunResult:
    """Run one job to its end, whatever that is; record it in its folder and write its report.

    Never raises: an error, an exit, or Ctrl-C inside the job becomes the verdict of this job.
    """
    op = job.op
    context = Context(job.config, job.folder, Fanout(job.folder, listener) if op.records else listener, job.command)
    started = False
    try:
        op.preflight(context)  # before the folder is made: a refused command leaves nothing behind
        if op.records:
            _start(job)
            started = True
        result = op.run(context)
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        result = _failed(job, error, started)
    result.title = job.title
    return _record(job, result) if started else result


def _start(job: Job) -> None:
    job.folder.start(
        op=job.config.op.name,
        model=job.config.model.name,
        title=job.title,
        command=job.command,
        config=files.plain(job.config),
    )


def _record(job: Job, result: RunResult) -> RunResult:
    """Keep the result and its report; when that fails (a full disk), say so instead of the result."""
    from fvhydra.report.write import write_report

    try:
        job.folder.finish(result)
        write_report(job.folder.path, result, job.folder.manifest)
    except Exception as error:
        return _failed(job, error, started=False)
    return result


def _failed(job: Job, error: BaseException, started: bool) -> RunResult:
    verdict, message, notes = Verdict.INFRASTRUCTURE, f"{type(error).__name__}: {error}", []
    if isinstance(error, KeyboardInterrupt):
        verdict, message = Verdict.INTERRUPTED, "Interrupted."
    elif isinstance(error, FvhydraError):
        message, notes = error.message, [error.hint] if error.hint else []
        verdict = Verdict.USAGE_ERROR if error.exit_code == 2 else Verdict.INFRASTRUCTURE
    else:
        if isinstance(error, SystemExit):
            message = f"The job exited by itself (code {error.code})."
        if started:
            log = job.folder.path / "status" / "error.log"
            files.write_text(log, "".join(traceback.format_exception(error)))
            notes = [f"The traceback is in {log}."]
    return RunResult(op=job.config.op.name, model=job.config.model.name, verdict=verdict, message=message, notes=notes)


def not_run(job: Job) -> RunResult:
    """The result of a job that was never started because the sweep was interrupted."""
    return RunResult(
        op=job.config.op.name,
        model=job.config.model.name,
        title=job.title,
        verdict=Verdict.INTERRUPTED,
        message="Not started: the sweep was interrupted.",
    )


def job_folder(config: Config, root: Path, run_id: str) -> Path:
    """Where a single run goes: ``<root>/<op>/<model>/<run id>``."""
    return root / config.op.name / config.model.name / run_id
