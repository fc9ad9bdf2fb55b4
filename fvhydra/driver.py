# SPDX-License-Identifier: Apache-2.0
"""The machine of the person: starts jobs, hears of them, applies confirmed changes, concludes.

What needs a person, a write token or all jobs of a sweep happens here, from the run folders alone.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from fvhydra.config.load import build_config
from fvhydra.config.op import OpConfig
from fvhydra.config.root import Config
from fvhydra.config.secrets import words_without_user_info
from fvhydra.core.environment import environment
from fvhydra.core.errors import FvhydraError, UsageError
from fvhydra.core.files import given_path
from fvhydra.core.progress import Progress, Silent
from fvhydra.core.project import Added
from fvhydra.core.result import RunResult, SweepJob
from fvhydra.core.run import RunFolder, new_run_id
from fvhydra.core.verdict import AGAIN, Verdict, worst
from fvhydra.launch.attach import attach
from fvhydra.launch.base import NOT_STARTED, REUSED
from fvhydra.launch.dry_run import plan
from fvhydra.launch.job import Job, job_folder, op_class, record, run_job
from fvhydra.launch.lock import locked
from fvhydra.launch.merge import merge
from fvhydra.launch.resume import interrupted_run, made_otherwise
from fvhydra.ops.cleanup import clean_up
from fvhydra.ops.port_evidence import PortRecords
from fvhydra.ops.publish import settle
from fvhydra.review.confirm import Ask, Confirmation, confirmed

if TYPE_CHECKING:
    from fvhydra.terminal import Bars, Board, Lines, Terminal


class Driver:
    """Hydra's task function for a single run, and the observer of a sweep."""

    def __init__(self, command: list[str], overrides: list[str], added: Added | None = None) -> None:
        self.command = words_without_user_info(command)  # from here on they are written down and shown
        self._overrides = words_without_user_info(overrides)
        self.added = added or Added()
        self.run_id = new_run_id()
        self.jobs: dict[int, tuple[Job, RunResult]] = {}
        self.how: dict[int, str] = {}
        """Of a job that did not run now: ``reused`` or ``not started``."""
        self.sweep_folder: Path | None = None
        self._composed: DictConfig | None = None
        self.lock = ExitStack()
        """Holds the folder of the sweep, until whoever made this leaves it."""
        self._display = ExitStack()
        self._board: Board | None = None
        self._listeners: dict[int, Lines | Bars] = {}
        self._said: list[str] = []
        self._attached: OpConfig | None = None
        """Options of op=attach."""
        self._ports = PortRecords()
        self._planned: list[Verdict] = []
        self._interrupted = False
        OmegaConf.register_new_resolver("fvhydra.sweep_dir", self._sweep_dir, replace=True)

    @cached_property
    def terminal(self) -> Terminal:
        """The terminal; its libraries are loaded when something is shown."""
        from fvhydra.terminal import Terminal

        return Terminal()

    @property
    def began(self) -> bool:
        """Whether composing is over."""
        return self._composed is not None or self.sweep_folder is not None

    # ------------------------------------------------------------------ a single run
    def __call__(self, composed: DictConfig) -> None:
        """Take what Hydra composed. It runs in :meth:`conclude`, where no error passes through Hydra's own printing."""
        self._composed = composed

    def _run_single(self, composed: DictConfig) -> None:
        config = build_config(composed)
        if config.sweep is not None:
            raise UsageError(
                f"sweep={config.sweep} names the folder of a sweep, and this is a single run.",
                "Add -m, or a launcher that takes several jobs: launcher=pool.",
            )
        root = given_path(config.runtime.output_dir)
        job = Job(0, "", config, self._folder(config, root), self.command, self._overrides, added=self.added)
        if job.op.attaches and not config.dry_run:
            self._attached = config.op
            with self._display:
                attach(job.folder.path, self)
            return
        if config.dry_run:
            self.plan([job], {}, [])
            return
        if job.op.follows:
            self.jobs[0] = (job, self._followed(job))
            return
        result = self._refused_by_person(job)
        if result is None:
            self._ports.begin(job.number, job.op, job.config)
            with self.terminal.watch(config.runtime.progress, config.op.name) as progress:
                result = run_job(job, progress)
        self.jobs[0] = (job, result)
        ran = result.verdict is not Verdict.USAGE_ERROR  # else the folder is that of the run that it would go on with
        if ran and job.op.writes_run_folder and job.folder.path.exists():
            job.folder.point_latest(root)

    def _followed(self, job: Job) -> RunResult:
        """Show what an op sees of runs until they have ended."""
        from fvhydra.watch_view import WatchView

        with WatchView(self.terminal, job.config.runtime.progress) as shown:
            for view in job.op.follow(job.context(Silent())):
                shown.show(view)
        return job.op.concluded(view)

    def _refused_by_person(self, job: Job) -> RunResult | None:
        """Ask for the first phrase of ops that have one, before anything is generated; None to go on."""
        op, given = job.op, getattr(job.config.op, "confirm", None)
        if not op.early_confirmation or given or not self.terminal.interactive:
            return None
        try:
            job.check(job.context(Silent()))
        except FvhydraError:
            return None  # the job itself says so in its own way
        if confirmed([op.early_confirmation], Confirmation(), self.terminal.ask):
            self._said.append(op.early_confirmation)
            return None
        return RunResult(
            op=job.config.op.name,
            model=job.model,
            verdict=Verdict.DONE,
            message="Not confirmed: nothing was generated and nothing was written.",
        )

    def _folder(self, config: Config, root: Path) -> RunFolder:
        op = op_class(config)(config.op)
        if op.resumable and config.run is not None:
            return interrupted_run(given_path(config.run), config.op.name)
        if op.writes_run_folder and config.resume and (earlier := op.earlier_run(config, root / config.op.name)):
            return interrupted_run(earlier.path, config.op.name)
        if op.writes_run_folder:
            return RunFolder(job_folder(config, root, self.run_id))
        given = given_path(config.run) if config.run is not None else root / "latest"
        return RunFolder(given.resolve())

    # ------------------------------------------------------------------ a sweep
    def _sweep_dir(self, root: str, op: str, name: str | None) -> str:
        """Where a sweep goes: ``<root>/<op>/<name>``; a name with a slash is a path already."""
        if name is not None and "/" in name:
            return str(given_path(name))
        return str(Path(root) / op / (name or self.run_id))

    def begin(self, folder: Path, dry_run: bool = False) -> None:
        """Take the sweep's folder for this command. Hydra's sweeper may come here several times.

        Raises:
            UsageError: Another command runs jobs there, or it cannot be written.
        """
        if self.sweep_folder is None:
            self.sweep_folder = given_path(folder)
            if not dry_run:
                self.lock.enter_context(locked(folder))

    def listen(self, job: Job) -> Progress:
        """A new progress listener for a job; several jobs may run at once."""
        if self._board is None:
            self._board = self._display.enter_context(self.terminal.board(job.config.runtime.progress))
        if self._attached is None:  # what was started by another command may be of another commit
            self._ports.begin(job.number, job.op, job.config)
        listener = self._board.listen(f"job {job.number} {job.config.op.name}")
        self._listeners[job.number] = listener
        return listener

    def ended(self, job: Job, result: RunResult, how: str = "") -> None:
        """Remember a job's result."""
        if how == REUSED:  # what an earlier command suggested is a record, which may be anybody's
            result.next_commands = []
            if result.change is not None:
                result.change = replace(result.change, said=[], publish=None)
        self.jobs[job.number] = (job, result)
        if how:
            self.how[job.number] = how
        if listener := self._listeners.pop(job.number, None):
            listener.end(result.verdict)

    def plan(self, jobs: Sequence[Job], kept: dict[int, RunResult], described: list[str]) -> None:
        """Show what would happen, for ``dry_run=true``."""
        planned = plan(jobs, kept)
        verdict = worst(item.result.verdict for item in planned)
        self._planned.append(verdict)
        self.terminal.plan(planned, described, verdict)

    # ------------------------------------------------------------------ the end
    def conclude(self) -> int:
        """Show the results, apply what is confirmed, write the sweep's report; return the exit code."""
        self._display.close()
        if self._composed is not None:
            self._run_single(self._composed)
        if self._planned:
            return worst(self._planned).exit_code
        if not self.jobs:
            return 0  # Hydra answered by itself: --cfg, --info, --version, completion
        self.jobs = dict(sorted(self.jobs.items()))
        self._interrupted = any(result.verdict is Verdict.INTERRUPTED for _, result in self.jobs.values())
        for job, result in self.jobs.values():
            self._show(job, result)
        for job, result in self.jobs.values():
            if result.change:
                self._settle(job, result)
        merged = [] if self.sweep_folder is None else merge(self.sweep_folder, list(self.jobs.values()))
        for job, result in merged:
            self.terminal.result(result, _report_of(job))
        counting = {number for number in self.jobs if self.how.get(number) != NOT_STARTED}
        verdict = worst(
            [result.verdict for number, (_, result) in self.jobs.items() if number in counting]
            + [result.verdict for _, result in merged]
        )
        if self.sweep_folder is not None:
            self._report_sweep(self.sweep_folder, verdict)
        return verdict.exit_code

    def _show(self, job: Job, result: RunResult) -> None:
        if self.sweep_folder is None or result.change or not job.op.writes_run_folder:
            ran = self.sweep_folder is not None or result.verdict is not Verdict.USAGE_ERROR
            self.terminal.result(result, _report_of(job) if ran else None)
        self.terminal.say(self._ports.keep(job.number, job.op, job.context(Silent()), result))

    def _settle(self, job: Job, result: RunResult) -> None:
        """Apply or leave the job's change; what came of it is part of the result and of its report."""
        ask = self.terminal.ask if self.terminal.interactive and not self._interrupted else None
        try:
            # op=attach reads its jobs from a folder, which says nothing to this: only the command line does
            said = Confirmation.of(self._attached or job.config.op, self._said, self.command)
            result.change = settle(job.context(Silent()), job.op, ask, said)
            self.terminal.change(result.change)
            self._clean_up(job, ask, said)
        except KeyboardInterrupt:  # an answer too: this change and those after it stay as they are
            self._interrupted = True
            result.verdict, result.message = Verdict.INTERRUPTED, "Interrupted before it was confirmed."
        except FvhydraError as error:
            self.terminal.error(error.message, error.hint)
            result.verdict = Verdict.USAGE_ERROR if error.exit_code == 2 else Verdict.INFRASTRUCTURE
            result.message = error.message
        if job.op.writes_run_folder:
            record(job.folder, result)
        elif result.change and result.change.published:  # op=publish: the page is that of the run that prepared it
            earlier = job.folder.result
            earlier.change = result.change
            record(job.folder, earlier)

    def _clean_up(self, job: Job, ask: Ask | None, said: Confirmation) -> None:
        """Offer to delete what only the change needed; whatever comes of it, the change stands as it does."""
        try:
            self.terminal.say(clean_up(job.context(Silent()), ask, said))
        except KeyboardInterrupt:
            self._interrupted = True
        except FvhydraError as error:
            self.terminal.error(error.message, error.hint)

    def _report_sweep(self, folder: Path, verdict: Verdict) -> None:
        from fvhydra.report.write import write_sweep_report
        from fvhydra.terminal import Row

        jobs = [
            SweepJob(number, job.title, result, str(job.folder.path.relative_to(folder)))
            for number, (job, result) in self.jobs.items()
        ]
        report = write_sweep_report(folder, jobs)
        rows = [
            Row(number, job.title, result, _report_of(job), self.how.get(number, ""), _log_of(job, result))
            for number, (job, result) in self.jobs.items()
        ]
        self.terminal.sweep(rows, report, verdict)
        self.terminal.say(self._outlook(folder))

    def _outlook(self, folder: Path) -> list[str]:
        """Sentences on results that were kept, and the command that goes on."""
        said = []
        kept = [job.folder.path for number, (job, _) in self.jobs.items() if self.how.get(number) == REUSED]
        if kept and (otherwise := made_otherwise(kept, environment())):
            listed = "; ".join(f"{key} {' and '.join(values)}" for key, values in otherwise.items())
            said.append(f"Some of the {len(kept)} reused were made with {listed}. All again: resume=false.")
        if any(result.verdict in AGAIN for _, result in self.jobs.values()):
            words = [word for word in self.command[1:] if not word.startswith(("sweep=", "resume="))]
            again = shlex.join(["python", "-m", "fvhydra", *words, f"sweep={folder}"])
            if self._attached is not None:  # it came to what another command had started
                again = f"the command that started it, with sweep={folder}"
            said.append(f"To run only what has no verdict yet: {again}")
        return said


def _report_of(job: Job) -> Path | None:
    path = job.folder.path / "report" / "index.html"
    return path if job.op.writes_run_folder and path.is_file() else None


def _log_of(job: Job, result: RunResult) -> Path | None:
    """Where to read on when a job failed for reasons of its own: the traceback, or else all that it said."""
    status = job.folder.path / "status"
    logs = (status / "error.log", job.folder.stdout_log, status / "progress.log")
    found = [log for log in logs if log.is_file()]
    return found[0] if found and result.verdict in AGAIN else None
