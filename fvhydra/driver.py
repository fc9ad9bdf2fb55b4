"""The machine of the person: starts jobs, hears of them, applies confirmed changes, concludes.

What needs a person, a write token or all jobs of a sweep happens here, from the run folders alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from fvhydra.config.load import build
from fvhydra.config.root import Config
from fvhydra.core import files
from fvhydra.core.errors import FvhydraError
from fvhydra.core.progress import Progress, Silent
from fvhydra.core.result import RunResult, SweepJob
from fvhydra.core.run import RunFolder, new_run_id
from fvhydra.core.verdict import Verdict, worst
from fvhydra.launch.job import Job, job_folder, op_class, record, run_job
from fvhydra.ops.publish import settle
from fvhydra.review.confirm import confirmed

if TYPE_CHECKING:
    from fvhydra.terminal import Terminal


class Driver:
    """Hydra's task function for a single run, and the audience of a sweep."""

    def __init__(self, command: list[str], overrides: list[str]) -> None:
        self.command = command
        self._overrides = overrides
        self.run_id = new_run_id()
        self.jobs: dict[int, tuple[Job, RunResult]] = {}
        self.sweep_folder: Path | None = None
        self._composed: DictConfig | None = None
        self._display = ExitStack()
        self._said: list[str] = []
        self._interrupted = False
        OmegaConf.register_new_resolver("fvhydra.run_id", lambda: self.run_id, replace=True)

    @cached_property
    def terminal(self) -> Terminal:
        """Both streams; loaded when something is shown."""
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
        config = build(composed)
        root = Path(config.job.output_dir)
        job = Job(0, "", config, self._folder(config, root), self.command, self._overrides)
        result = self._refused_by_person(job)
        if result is None:
            with self.terminal.watch(config.job.progress, config.op.name) as progress:
                result = run_job(job, progress)
        self.jobs[0] = (job, result)
        if job.op.records and job.folder.path.exists():
            job.folder.point_latest(root)

    def _refused_by_person(self, job: Job) -> RunResult | None:
        """Ask for the first phrase of ops that have one, before anything is generated; None to go on."""
        op, given = job.op, getattr(job.config.op, "confirm", None)
        if not op.first_phrase or given or not self.terminal.interactive:
            return None
        try:
            op.preflight(job.context(Silent()))
        except FvhydraError:
            return None  # the job itself says so in its own way
        if confirmed([op.first_phrase], [], self.terminal.ask):
            self._said.append(op.first_phrase)
            return None
        return RunResult(
            op=job.config.op.name,
            model=job.config.model.name,
            verdict=Verdict.DONE,
            message="Not confirmed: nothing was generated and nothing was written.",
        )

    def _folder(self, config: Config, root: Path) -> RunFolder:
        if op_class(config).records:
            return RunFolder(job_folder(config, root, self.run_id))
        given = Path(config.run).expanduser() if config.run is not None else root / "latest"
        return RunFolder(given.resolve())

    # ------------------------------------------------------------------ a sweep
    def begin(self, folder: Path, jobs: Sequence[Job]) -> None:
        """Hydra's sweeper has more jobs."""
        with files.explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self.sweep_folder = folder

    def listen(self, job: Job) -> Progress:
        """One display at a time; the sweep's jobs follow each other."""
        self._display.close()
        label = f"job {job.number} {job.config.op.name}"
        return self._display.enter_context(self.terminal.watch(job.config.job.progress, label))

    def ended(self, job: Job, result: RunResult) -> None:
        """Remember a job's result."""
        self._display.close()
        self.jobs[job.number] = (job, result)

    # ------------------------------------------------------------------ the end
    def conclude(self) -> int:
        """Show the results, apply what is confirmed, write the sweep's report; return the exit code."""
        if self._composed is not None:
            self._run_single(self._composed)
        if not self.jobs:
            return 0  # Hydra answered by itself: --cfg, --info, --version, completion
        for job, result in self.jobs.values():
            if self.sweep_folder is None or result.details.get("change"):
                self.terminal.result(result, _report_of(job))
        for job, result in self.jobs.values():
            if result.details.get("change"):
                self._settle(job, result)
        verdict = worst(result.verdict for _, result in self.jobs.values())
        if self.sweep_folder is not None:
            self._report_sweep(self.sweep_folder, verdict)
        return verdict.exit_code

    def _settle(self, job: Job, result: RunResult) -> None:
        """Apply or leave the job's change; what came of it is part of the result and of its report."""
        ask = self.terminal.ask if self.terminal.interactive and not self._interrupted else None
        try:
            settled = settle(job.context(Silent()), ask, self._said)
            result.notes += settled.said
            if settled.revision:
                result.details["published"] = settled.revision
            self.terminal.say(settled.said)
        except KeyboardInterrupt:  # an answer too: this change and those after it stay as they are
            self._interrupted = True
            result.verdict, result.message = Verdict.INTERRUPTED, "Interrupted before it was confirmed."
        except FvhydraError as error:
            self.terminal.error(error.message, error.hint)
            result.verdict = Verdict.USAGE_ERROR if error.exit_code == 2 else Verdict.INFRASTRUCTURE
            result.message = error.message
        if job.op.records:
            record(job.folder, result)
        elif "published" in result.details:  # op=publish: the page belongs to the run that prepared the change
            earlier = job.folder.result
            earlier.details["published"] = result.details["published"]
            # what it said of being left prepared is no longer so
            earlier.notes = [note for note in earlier.notes if not note.startswith(("Nothing was written", "  "))]
            record(job.folder, earlier)

    def _report_sweep(self, folder: Path, verdict: Verdict) -> None:
        from fvhydra.report.write import write_sweep_report

        rows = [
            SweepJob(number, job.title, result, str(job.folder.path.relative_to(folder)))
            for number, (job, result) in self.jobs.items()
        ]
        report = write_sweep_report(folder, rows)
        table = [(row.number, row.title, row.result, _report_of(self.jobs[row.number][0])) for row in rows]
        self.terminal.sweep(table, report, verdict)


def _report_of(job: Job) -> Path | None:
    path = job.folder.path / "report" / "index.html"
    return path if job.op.records and path.is_file() else None
