# SPDX-License-Identifier: Apache-2.0
"""One job: a validated configuration and the folder it runs in. Every launcher runs jobs through here."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from fvhydra.config.root import Config
from fvhydra.config.secrets import without_signatures
from fvhydra.core import extras, files, hub_cache
from fvhydra.core.errors import FvhydraError, UsageError
from fvhydra.core.loading import load_class
from fvhydra.core.memo import Memo
from fvhydra.core.progress import Fanout, Progress
from fvhydra.core.project import Added
from fvhydra.core.result import NextCommand, RunResult
from fvhydra.core.run import RunFolder
from fvhydra.core.verdict import Verdict
from fvhydra.launch.attempts import set_aside
from fvhydra.launch.identity import fingerprint
from fvhydra.ops.base import Op
from fvhydra.ops.context import Context, Prepared
from fvhydra.ops.finished import finished_cases
from fvhydra.review.confirm import refuse_wrong_words
from fvhydra.review.kinds import KINDS


@dataclass(frozen=True)
class Job:
    """One job of a command.

    Attributes:
        title: What tells it from its neighbours in a sweep.
        command: What was typed, the program's name included.
        overrides: Those of this job: in a sweep, one value of each.
        shared: What all jobs of the command have in common.
        added: What the project and the environment added to the command.
    """

    number: int
    title: str
    config: Config
    folder: RunFolder
    command: list[str]
    overrides: list[str]
    shared: Memo = field(default_factory=Memo, compare=False)
    added: Added = field(default_factory=Added)

    @cached_property
    def op(self) -> Op:
        """The operation; its module is imported when it is first asked for."""
        return op_class(self.config)(self.config.op)

    @cached_property
    def prepared(self) -> Prepared:
        """What the job works with, the same from its first check to its end."""
        return Prepared(self.config, self.shared)

    @property
    def model(self) -> str:
        """Name of the model that the job is about; empty where it is about none."""
        return self.op.model(self.config)

    @cached_property
    def gpus(self) -> int:
        """GPUs that the job takes, see :meth:`fvhydra.ops.base.Op.gpus`."""
        return self.op.gpus(self.config)

    @cached_property
    def fingerprint(self) -> str:
        """Hex SHA-256 of what decides the outcome: two jobs that share it are the same job."""
        return fingerprint(self.prepared, self.op)

    def placed(self, number: int, folder: Path) -> Job:
        """The same job under another number, in another folder."""
        moved = replace(self, number=number, folder=RunFolder(folder))
        # the same, and costly for a thousand
        vars(moved).update(op=self.op, prepared=self.prepared, fingerprint=self.fingerprint)
        return moved

    def check(self, context: Context) -> None:
        """Refuse what cannot succeed, before anything is generated or written.

        Raises:
            FvhydraError: What its op says, or ``op.confirm`` is not what the op's change will ask for.
        """
        if len(self.op.change_kinds) == 1:  # ops with several know which one when they have looked
            kind = KINDS[self.op.change_kinds[0]]
            refuse_wrong_words(getattr(self.config.op, "confirm", None) or [], kind.phrases, kind.afterwards)
        self.op.preflight(context)

    def context(self, listener: Progress) -> Context:
        """The context that the job's op is given."""
        return Context(self.prepared, self.folder, listener, self.command, self.overrides, lambda: self.fingerprint)


def op_class(config: Config) -> type[Op]:
    """The class that ``op=`` chose; its module is imported now."""
    found: type[Op] = load_class(config.op._target_, "op._target_", Op)
    return found


def run_job(job: Job, listener: Progress, preflight: bool = True) -> RunResult:
    """Run one job to its end, whatever that is; record it in its folder and write its report.

    Never raises: an error, an exit, or Ctrl-C inside the job becomes the verdict of this job.

    Args:
        job: What to run.
        listener: Hears of the progress, beside the run folder's own log.
        preflight: Whether to ask the op first; for the jobs of a sweep that was done. A job that is refused here
            leaves no folder behind.
    """
    op = job.op
    context = job.context(Fanout(job.folder, listener) if op.writes_run_folder else listener)
    started = False
    made: list[Path] = []
    try:
        hub_cache.use(job.config.runtime.hf_home, job.config.runtime.hf_hub_cache)
        if preflight:
            job.check(context)
        if op.writes_run_folder:
            if op.resumable and RunFolder.is_at(job.folder.path):  # it goes on with that run
                set_aside(job.folder.path)
            made = [place for place in (job.folder.path, *job.folder.path.parents) if not place.exists()]
            start(job)
            started = True
        with job.folder.live.beating() if started else contextlib.nullcontext():
            result = op.run(context)
        result.notes += _without_effect(job) + _kept(result) if started else []
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        result = _failed(job, error, started)
        if started and isinstance(error, KeyboardInterrupt):
            result.message += _finished(job)
        alone = started and not job.title  # a sweep goes on as a whole
        if alone and result.verdict is Verdict.USAGE_ERROR:  # which says that nothing ran and nothing was written
            if made and not _has_results(job.folder):
                _take_back(made)
                return result
            result.verdict = Verdict.INFRASTRUCTURE
        elif made and not started:  # the first record could not be written
            _take_back(made)
    result.title = job.title
    if not started:
        return result
    _suggest_going_on(job, op.resume_command(context), result)
    return record(job.folder, result)


def _suggest_going_on(job: Job, words: Sequence[str], result: RunResult) -> None:
    """Add the command that takes up a run where it stopped; a sweep goes on as a whole, and says so itself."""
    stopped = result.verdict is Verdict.INTERRUPTED
    stopped |= result.verdict is Verdict.INFRASTRUCTURE and _has_results(job.folder)
    if stopped and words and not job.title:
        result.next_commands.append(NextCommand("To go on from here", shlex.join(["python", "-m", "fvhydra", *words])))


def _has_results(folder: RunFolder) -> bool:
    """Whether anything of a run was finished; what is unreadable may have been."""
    with contextlib.suppress(UsageError):
        lines = any((folder.path / name).is_file() for name in ("journal.jsonl", "cases.jsonl"))
        return lines or bool(folder.manifest["artifacts"])
    return True


def _take_back(made: Sequence[Path]) -> None:
    """Remove a run folder, the first of ``made``, and the folders around it that were made for it."""
    shutil.rmtree(made[0], ignore_errors=True)
    with contextlib.suppress(OSError):  # another run came there
        for place in made[1:]:
            place.rmdir()


def failed(job: Job, error: BaseException) -> RunResult:
    """The result of a job of a sweep that an error kept from running, recorded in its folder."""
    if job.op.writes_run_folder:
        start(job)
    result = _failed(job, error, started=job.op.writes_run_folder)
    result.title = job.title
    return record(job.folder, result) if job.op.writes_run_folder else result


def _kept(result: RunResult) -> list[str]:
    """A note on cases that an earlier attempt finished; none where there are none."""
    kept = sum(case.kept for case in result.cases)
    return [f"{kept} of {len(result.cases)} case(s) were finished by an earlier attempt and kept."] if kept else []


def _finished(job: Job) -> str:
    """How many cases of an interrupted job are finished, as a sentence; empty where it has no cases."""
    with contextlib.suppress(UsageError):
        cases = len(job.folder.manifest["cases"])
        finished = sum(1 for _ in finished_cases(job.folder.path))
        return f" {finished} of {cases} case(s) are finished." if cases else ""
    return ""


def _without_effect(job: Job) -> list[str]:
    """Settings that the engine has no way to honour: not an error, and never silently lost."""
    dropped: dict[str, object] = {}
    for artifact in job.folder.manifest["artifacts"]:
        dropped |= artifact.get("dropped", {})
    listed = ", ".join(f"{key}={value}" for key, value in dropped.items())
    return [f"Without effect with engine={job.config.engine.name}: {listed}."] if dropped else []


def start(job: Job) -> None:
    """Make the run folder of a job, with its first manifest."""
    config = files.plain(job.config)
    job.folder.start(
        op=job.config.op.name,
        model=job.model,
        title=job.title,
        command=[without_signatures(word) if word.startswith("op.") else word for word in job.command],
        **({"added": files.plain(job.added)} if job.added != Added() else {}),
        config=config | {"op": without_signatures(config["op"])},
    )


def record(folder: RunFolder, result: RunResult) -> RunResult:
    """Keep a result and its report, as often as it changes; when the report fails, that is the result."""
    from fvhydra.report.write import write_report

    try:
        folder.finish(result)
        write_report(folder.path, result, folder.manifest)
    except Exception as error:
        result = _broken(folder, result, error)
        with contextlib.suppress(Exception):  # a full disk takes this too; the terminal still says it
            folder.finish(result)
    return result


def completed(job: Job, result: RunResult) -> RunResult:
    """A recorded result whose report is there too: it is not when the job was killed between the two."""
    whole = not job.op.writes_run_folder or (job.folder.path / "report" / "index.html").is_file()
    return result if whole else record(job.folder, result)


def _broken(folder: RunFolder, result: RunResult, error: Exception) -> RunResult:
    verdict, message, notes = verdict_of(error, folder)
    return RunResult(result.op, verdict, f"The report failed: {message}", result.model, result.title, notes=notes)


def _failed(job: Job, error: BaseException, started: bool) -> RunResult:
    verdict, message, notes = verdict_of(error, job.folder if started else None)
    return RunResult(op=job.config.op.name, model=job.model, verdict=verdict, message=message, notes=notes)


def verdict_of(error: BaseException, folder: RunFolder | None = None) -> tuple[Verdict, str, list[str]]:
    """Verdict, sentence and notes of an error; a failure of ours leaves its traceback in the folder."""
    if isinstance(error, KeyboardInterrupt):
        return Verdict.INTERRUPTED, "Interrupted.", []
    error = extras.explained(error)
    if isinstance(error, FvhydraError):
        verdict = Verdict.USAGE_ERROR if error.exit_code == 2 else Verdict.INFRASTRUCTURE
        return verdict, error.message, [error.hint] if error.hint else []
    message = f"{type(error).__name__}: {error}"
    if isinstance(error, SystemExit):
        message = f"The job exited by itself (code {error.code})."
    notes = []
    if folder is not None:
        log = folder.path / "status" / "error.log"
        with contextlib.suppress(UsageError):  # a full disk
            files.write_text(log, "".join(traceback.format_exception(error)))
            notes = [f"The traceback is in {log}."]
    return Verdict.INFRASTRUCTURE, message, notes


def not_run(job: Job, why: str) -> RunResult:
    """The result of a job that was never started; ``why`` ends a sentence."""
    return RunResult(
        op=job.config.op.name,
        model=job.model,
        title=job.title,
        verdict=Verdict.INTERRUPTED,
        message=f"Not started: {why}.",
    )


def job_folder(config: Config, root: Path, run_id: str) -> Path:
    """Where a single run goes: ``<root>/<op>/<model>/<run id>``, or whatever the op calls the folder in between."""
    return root / config.op.name / op_class(config)(config.op).folder(config) / run_id
