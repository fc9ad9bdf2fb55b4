# SPDX-License-Identifier: Apache-2.0
"""``op=check_perf``: performance records against the median of the last five of their kind."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fvhydra.config.op import CheckPerfConfig
from fvhydra.config.root import Config
from fvhydra.core import files
from fvhydra.core.errors import UsageError
from fvhydra.core.performance import PerfComparison
from fvhydra.core.result import ChangeStatus, NextCommand, RunResult
from fvhydra.core.verdict import Verdict, worst
from fvhydra.ops.base import Op
from fvhydra.ops.cases import carried_words
from fvhydra.ops.context import Context, Prepared
from fvhydra.performance.benchmark import Benchmark
from fvhydra.performance.chosen import chosen_benchmark
from fvhydra.performance.conclusion import TRUSTED_SOURCE, concluded
from fvhydra.performance.gate import Samples, check
from fvhydra.performance.history import History, read_history
from fvhydra.performance.mirror import mirror_folder
from fvhydra.performance.names import record_path, records_of_run, samples_path
from fvhydra.performance.record import PerfRecord, Target, read_record
from fvhydra.performance.samples import SamplesFile, read_samples
from fvhydra.review import change
from fvhydra.review.confirm import refuse_wrong_words
from fvhydra.review.kinds import KINDS

_KIND = "record"


@dataclass(frozen=True)
class _Given:
    """A record to check, and what lies beside it: the single runs, where they are known."""

    path: Path
    record: PerfRecord
    runs: SamplesFile | None

    @property
    def samples(self) -> Samples | None:
        """The values of the runs that count; no run at all is a metric without values."""
        if self.runs is None:
            return None
        return {name: values for name, values in self.runs.values.items() if values} or {"latency": []}


class CheckPerf(Op):
    """Nothing is measured here: the records come from ``op=bench``, or from anywhere in the ecosystem's format."""

    config: CheckPerfConfig
    uses_model = False
    change_kinds = (_KIND,)

    def preflight(self, context: Context) -> None:
        """Refuse what is no record, and a store that cannot be written where it will have to be."""
        given = self._given(context.config)
        benchmark = self._benchmark(context.config)
        if benchmark is not None and all(each.record.model_id != benchmark.benchmark_id for each in given):
            raise UsageError(
                f"None of the records is of the benchmark {benchmark.benchmark_id}: the first is of "
                f"{given[0].record.model_id}."
            )
        refuse_wrong_words(self.config.confirm, KINDS[_KIND].phrases)
        paths = Counter(record_path(each.record) for each in given)
        if twice := [path for path, times in paths.items() if times > 1]:
            raise UsageError(f"Two of the records belong at {twice[0]}.", "Give each of them once.")
        if self.config.record != "never":
            if nameless := [each.path for each in given if not each.record.timestamp]:
                raise UsageError(f"{nameless[0]} has no timestamp, which a record in a store is named by.")
            context.store.check_writable()
        elif self.config.confirm:
            raise UsageError(
                "op.confirm= confirms nothing: op.record=never appends no record.",
                "Add op.record=pass or op.record=always.",
            )

    def inputs(self, prepared: Prepared) -> dict[str, str]:
        """The records themselves, and the benchmark."""
        paths = [each.path for each in self._given(prepared.config)]
        beside = [samples_path(path) for path in paths]
        benchmark = [files.given_path(self.config.benchmark_file)] if self.config.benchmark_file else []
        return {str(path): files.sha256_file(path) for path in (*paths, *beside, *benchmark) if path.is_file()}

    def unsendable(self, config: Config) -> list[str]:
        """Records and benchmarks are files of this machine."""
        own = {"op.results": self.config.results, "op.benchmark_file": self.config.benchmark_file}
        return [*super().unsendable(config), *(f"{key}={value}" for key, value in own.items() if value)]

    def run(self, context: Context) -> RunResult:
        """Leave the comparisons in ``result.json``, and the records that are to be appended, with their change."""
        given = self._given(context.config)
        benchmark = self._benchmark(context.config)
        context.progress.stage("sync", msg=f"records of {context.store.location}")
        history = read_history(context.store, mirror_folder(self.config.mirror))
        found = [self._checked(each, history, benchmark) for each in given]
        appended = self._appended(context, given, found, history)
        verdicts = Counter(each.verdict for each in found)
        said = ", ".join(f"{count} {verdict.value.replace('_', ' ')}" for verdict, count in sorted(verdicts.items()))
        return RunResult(
            op=self.config.name,
            verdict=worst(verdicts),
            message=found[0].reason if len(found) == 1 else f"{len(found)} records: {said}.",
            performance=found,
            change=appended,
            notes=self._notes(given, found, history),
            next_commands=self._following(context, given, found),
            details={"store": context.store.location, "revision": history.revision, "records": len(history.records)},
        )

    # -------------------------------------------------------------------------------------------------------- comparing
    def _given(self, config: Config) -> list[_Given]:
        named = [files.given_path(path) for path in self.config.results]
        if named and config.run is not None:
            raise UsageError("run= and op.results= both name records.", "Leave one of them away.")
        paths = named or self._of_run(config)
        return [_read(path) for path in paths]

    def _of_run(self, config: Config) -> list[Path]:
        if config.run is None:
            raise UsageError(
                "op=check_perf needs records: run=<folder of an op=bench>, or op.results=[normalized_perf_...json].",
                "For example run=outputs/latest.",
            )
        folder = files.given_path(config.run).resolve()
        if paths := records_of_run(folder):
            return paths
        raise UsageError(f"{folder} has no performance record.", "Give the folder of an op=bench.")

    def _benchmark(self, config: Config) -> Benchmark | None:
        return chosen_benchmark(config.benchmark, self.config.benchmark_file)

    def _checked(self, given: _Given, history: History, benchmark: Benchmark | None) -> PerfComparison:
        record = given.record
        ours = benchmark is not None and benchmark.benchmark_id == record.model_id
        # the benchmark's thresholds first, then what a record says that is from elsewhere
        overrides: Any = benchmark.regression_thresholds if benchmark and ours else None
        found = check(
            record,
            history,
            samples=given.samples,
            overrides=overrides or None,
            ceilings=benchmark.ceilings(record.gpu_type)
            if benchmark and ours
            else given.runs.ceilings
            if given.runs
            else None,
            weights=None if self.config.any_weights else "",
        )
        return replace(found, record=str(given.path))

    # -------------------------------------------------------------------------------------------------------- appending
    def _appended(
        self, context: Context, given: Sequence[_Given], found: Sequence[PerfComparison], history: History
    ) -> ChangeStatus | None:
        """Leave every record as it is after its comparison, and prepare the change that appends those of the policy."""
        there = {record.path for record in history.records}
        added = []
        for each, comparison in zip(given, found, strict=True):
            local = _concluded_path(context, each)
            files.write_json(local, dict(concluded(each.record, comparison).fields))
            path = record_path(each.record)
            if self._takes(comparison) and path not in there:
                added.append(change.ChangeFile(path, context.run.relative(local), files.sha256_file(local)))
        if not added:
            return None
        prepared = change.Change(
            kind=_KIND,
            title=f"Record {', '.join(sorted({each.record.model_id for each in given}))}",
            reason=self.config.reason,
            store=context.store.location,
            parent=history.revision,
            changes=added,
            provenance={"environment": context.run.manifest["environment"]},
        )
        change.save_change(context.run, prepared)
        return ChangeStatus(prepared.store, len(added))

    def _takes(self, found: PerfComparison) -> bool:
        """Whether the policy appends such a record."""
        return self.config.record == "always" or (self.config.record == "pass" and found.verdict is Verdict.PASS)

    # ----------------------------------------------------------------------------------------------------------- saying
    def _notes(self, given: Sequence[_Given], found: Sequence[PerfComparison], history: History) -> list[str]:
        notes = [f"Left out: {problem}" for problem in history.problems]
        if unknown := [each.path.name for each in given if each.runs is None]:
            others = f" and of {len(unknown) - 1} other(s)" if len(unknown) > 1 else ""
            notes.append(f"Decided by medians alone: no single runs lie beside {unknown[0]}{others}.")
        for each in given:
            if each.runs and (apart := [run for run in each.runs.measured if run.moved]):
                told = ", ".join(dict.fromkeys(moved for run in apart for moved in run.moved))
                share = f"{len(apart)} of {len(each.runs.measured)} run(s) of {each.record.model_id}"
                notes.append(f"Conditions moved in {share}, which count all the same: {told}.")
        if any(metric.over_ceiling for comparison in found for metric in comparison.metrics):
            notes.append(
                "A fixed ceiling is a threshold of the benchmark: it moves in code review, and with no baseline."
            )
        there = {record.path for record in history.records}
        for each, comparison in zip(given, found, strict=True):
            if self.config.record != "never" and record_path(each.record) in there:
                notes.append(f"{record_path(each.record)} is in the store already.")
            elif self.config.record == "pass" and not self._takes(comparison):
                notes.append(f"{record_path(each.record)} is not appended: op.record=pass takes only what passes.")
        return notes

    def _following(
        self, context: Context, given: Sequence[_Given], found: Sequence[PerfComparison]
    ) -> list[NextCommand]:
        """A suggestion for each baseline that may have to move, with all of the records that may move it."""
        sources: dict[tuple[Verdict, str, Target, str], list[_Given]] = {}
        for each, comparison in zip(given, found, strict=True):
            op = {Verdict.NO_REFERENCE: "seed_perf", Verdict.REGRESSION: "reseed_perf"}.get(comparison.verdict)
            if op == "reseed_perf" and not any(
                metric.gated and metric.verdict is Verdict.REGRESSION for metric in comparison.metrics
            ):
                op = None  # what is over a ceiling alone is over it with any baseline
            if op == "seed_perf" and (each.record.identity is None or each.record.run_source != TRUSTED_SOURCE):
                op = "reseed_perf"  # which makes first baselines too, of whatever a person has reviewed
            if op is not None:
                sources.setdefault((comparison.verdict, op, each.record.target, each.record.weights), []).append(each)
        return [
            NextCommand(_PURPOSES[verdict], _command(op, several, context))
            for (verdict, op, *_), several in sources.items()
        ]


_PURPOSES = {
    Verdict.NO_REFERENCE: "To make it the first baseline, once it is reviewed",
    Verdict.REGRESSION: "Where the move is meant, to move the baseline",
}


def _concluded_path(context: Context, given: _Given) -> Path:
    """Where the record lies as it is after its comparison."""
    return context.run.path / "records" / record_path(given.record)


def _command(op: str, given: Sequence[_Given], context: Context) -> str:
    paths = [str(_concluded_path(context, each)) for each in given]
    sources = paths[0] if len(paths) == 1 else f"[{','.join(paths)}]"
    words = [
        f"op={op}",
        f"op.model_id={given[0].record.model_id}",
        f"op.gpu_type={given[0].record.gpu_type}",
        f"op.source_results={sources}",
        *carried_words(context.command),
    ]
    return f"python -m fvhydra {shlex.join(words)} op.reason='...'"


def _read(path: Path) -> _Given:
    beside = samples_path(path)
    return _Given(path, read_record(path), read_samples(beside) if beside.is_file() else None)
