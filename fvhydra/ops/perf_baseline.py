# SPDX-License-Identifier: Apache-2.0
"""What moving a performance baseline has in common: sources, history, backup, and the change that adds records."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime

from fvhydra.config.op import MovePerfConfig
from fvhydra.core import files
from fvhydra.core.baseline import BaselineMetric, BaselineMove, BaselineSource, BaselineWarning
from fvhydra.core.environment import git_state
from fvhydra.core.errors import UsageError
from fvhydra.core.person import operator
from fvhydra.core.result import ChangeStatus, RunResult
from fvhydra.core.verdict import Verdict
from fvhydra.ops.base import Op
from fvhydra.ops.context import Context, Prepared
from fvhydra.ops.perf_review import backup_text, closing_report, first_question, last_question, pull_request
from fvhydra.performance.batch import batch_metrics, batch_warnings, window_note
from fvhydra.performance.benchmark import read_benchmark_file
from fvhydra.performance.download import is_address
from fvhydra.performance.history import History, read_history
from fvhydra.performance.names import record_folder, sanitized
from fvhydra.performance.record import METRICS, Identity, PerfRecord, Target
from fvhydra.performance.reseeding import Occasion, with_medians
from fvhydra.performance.sources import (
    Source,
    common_target,
    read_sources,
    refuse_none,
    refuse_others,
    refuse_undeclared,
)
from fvhydra.review import change
from fvhydra.review.kinds import KINDS


class MovePerf(Op):
    """Adds reviewed measurements to a history, so that its median moves; nothing that is there is touched."""

    config: MovePerfConfig
    uses_model = False
    told_apart_by: tuple[str, ...] = ()
    """Keys of which no two sources may have the same value."""

    @abstractmethod
    def check(self, sources: Sequence[Source], metrics: Sequence[BaselineMetric], history: History) -> None:
        """Refuse sources that this op does not take.

        Raises:
            UsageError: Nothing was prepared.
        """

    @abstractmethod
    def records(self, sources: Sequence[Source], history: History, occasion: Occasion) -> list[PerfRecord]:
        """The new records, one a source."""

    @property
    def given(self) -> list[str]:
        """The sources, as they were given."""
        one = self.config.source_result
        return [*map(str, self.config.source_results), *([one] if one else [])]

    def inputs(self, prepared: Prepared) -> dict[str, str]:
        """The sources that are files of this machine."""
        paths = [files.given_path(one) for one in self.given if not is_address(one)]
        return {str(path): files.sha256_file(path) for path in paths if path.is_file()}

    def preflight(self, context: Context) -> None:
        """Refuse without a source, elsewhere than on this machine, and a store that cannot be written."""
        name = self.config.name
        if not context.config.launcher.same_environment:
            raise UsageError(
                f"op={name} is done where the person is who confirms it, and not with "
                f"launcher={context.config.launcher.name}.",
                "Leave launcher= away.",
            )
        refuse_none(self.given)
        context.store.check_writable()

    def run(self, context: Context) -> RunResult:
        """Leave ``mirror/``, ``backup/``, ``prepared/``, ``change.json`` and ``pull_request.md``."""
        context.progress.stage("read", msg=f"{len(self.given)} source(s)")
        sources, undated = read_sources(self.given, context.run.path / "downloads", self.told_apart_by)
        refuse_others(sources, self.config.model_id, self.config.gpu_type)
        if context.store.needs_token:
            refuse_undeclared(sources, context.store.location)
        target, weights = common_target(sources), sources[0].record.weights
        metrics = batch_metrics(sources)
        context.progress.stage("sync", msg=context.store.location)
        history = read_history(context.store, context.run.path / "mirror", strict=True)
        self.check(sources, metrics, history)
        occasion = Occasion(self.config.reason, operator(), self.config.max_intra_batch_regression, datetime.now(UTC))
        made = self.records(sources, history, occasion)
        before = history.baseline(target, weights)
        after = History.of_records([*history.records, *made]).baseline(target, weights)
        with_medians(metrics, before.medians, after.medians)
        move = BaselineMove(
            target=facts_of(target),
            reason=occasion.reason,
            allowed=occasion.allowed,
            git_commit=git_state().get("git_commit", "unknown"),
            successes=before.eligible,
            note=window_note(before.eligible, len(made)),
            backup="",
            sources=[_source(source, record) for source, record in zip(sources, made, strict=True)],
            metrics=metrics,
            warnings=[
                *(BaselineWarning("undated", sentence) for sentence in undated),
                *batch_warnings(sources, metrics, occasion.allowed, history.of(target, weights)),
            ],
            ceilings=self._ceilings(sources[0].record.gpu_type, metrics),
        )
        move.backup = _back_up(context, move, sources[0].record, history, occasion)
        result = self._prepare(context, move, made, history)
        if not history.of(target, weights):
            result.notes.append(f"There are no records of {target} yet: this is its first baseline.")
        return result

    def _prepare(self, context: Context, move: BaselineMove, made: Sequence[PerfRecord], history: History) -> RunResult:
        kind = self.change_kinds[0]
        changes = []
        for record in made:
            local = context.run.path / "prepared" / record.path
            files.write_json(local, dict(record.fields))
            changes.append(change.ChangeFile(record.path, context.run.relative(local), files.sha256_file(local)))
        files.write_text(context.run.path / "pull_request.md", pull_request(context, move))
        first, *others = KINDS[kind].phrases
        questions = {first: first_question(context, move)}
        questions |= {phrase: last_question(context, move) for phrase in others}
        prepared = change.Change(
            kind=kind,
            title=f"{self.verb} the performance baseline of {made[0].model_id} on {made[0].gpu_type}",
            reason=move.reason,
            store=context.store.location,
            parent=history.revision,
            changes=changes,
            follow_up=closing_report(context, move),
            questions=questions,
            provenance={"environment": context.run.manifest["environment"], "target": move.target},
        )
        change.save_change(context.run, prepared)
        return RunResult(
            op=self.config.name,
            verdict=Verdict.DONE,
            message=f"{len(made)} record(s) prepared for {prepared.store}.",
            baselines=[move],
            change=ChangeStatus(prepared.store, len(prepared.paths)),
        )

    verb = "Move"
    """First word of the commit's title."""

    def _ceilings(self, gpu_type: str, metrics: Sequence[BaselineMetric]) -> list[str]:
        """A sentence on each fixed limit that the new medians exceed."""
        if self.config.benchmark_file is None:
            return []
        limits = read_benchmark_file(files.given_path(self.config.benchmark_file)).ceilings(gpu_type)
        return [
            f"{METRICS[m.name].ceiling} of {self.config.benchmark_file} is {limits[m.name]:g} {m.unit}, and the new "
            f"median {m.after:g} {m.unit}: that gate goes on failing, and is changed in code review."
            for m in metrics
            if m.name in limits and m.after is not None and m.after > limits[m.name]
        ]


def facts_of(target: Target) -> dict[str, str]:
    """What a target is, key to value."""
    return {key: str(value) for key, value in vars(target).items()}


def _source(source: Source, made: PerfRecord) -> BaselineSource:
    record = source.record
    return BaselineSource(source.given, record.timestamp, record.commit_sha, record.success, made.path)


def _back_up(context: Context, move: BaselineMove, record: PerfRecord, history: History, occasion: Occasion) -> str:
    """Copy what was there: the target's folder; all of them for an identity, whose records may lie in any."""
    mirror = context.run.path / "mirror"
    own = record_folder(record.model_id)
    wanted = "" if isinstance(record.target, Identity) else f"{own}/"
    kept = [found.path for found in history.records if found.path.startswith(wanted)]
    name = f"{occasion.now:%Y%m%d_%H%M%S}_{move.git_commit[:12]}_{sanitized(record.model_id)}"
    folder = context.run.path / "backup" / name
    files.copy_all({path: mirror / path for path in kept}, folder)
    text = backup_text(context, move, record, history.revision, f"{occasion.now:%Y-%m-%dT%H:%M:%SZ}", len(kept))
    files.write_text(folder / "PROVENANCE.txt", text)
    return context.run.relative(folder)
