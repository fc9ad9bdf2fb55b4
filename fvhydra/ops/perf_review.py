# SPDX-License-Identifier: Apache-2.0
"""What a person is told of a baseline that is moved: before each question, afterwards, and for the pull request."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from fvhydra.core.baseline import BaselineMetric, BaselineMove
from fvhydra.ops.cases import carried_words
from fvhydra.ops.context import Context
from fvhydra.performance.record import PerfRecord
from fvhydra.report.baseline import number, percent

WHEN_NOT = (
    "the new numbers may be a real regression: then the code is mended (op=check_perf on the commit before tells)",
    "only a fixed ceiling per GPU fails: that is another gate, changed in code review of the benchmark's file",
    "there is no clear run, commit and reason that the new numbers come from",
    "the sources disagree with each other, or with what the engine does elsewhere",
)
"""When a baseline is not moved, in the words of what it looks like."""


def first_question(context: Context, move: BaselineMove) -> str:
    """What is shown before anybody agrees that this baseline moves."""
    lines = [
        "Target:",
        *(f"    {key}: {value}" for key, value in move.target.items()),
        f"Reason: {move.reason}",
        f"Sources: {len(move.sources)}, at most {percent(move.allowed)} worse than their median",
        *(f"    {source.given}" for source in move.sources),
        f"HEAD: {move.git_commit}",
        f"Backup: {context.run.path / move.backup}",
        "A baseline is not moved when:",
        *(f"    - {sentence}" for sentence in WHEN_NOT),
    ]
    return "\n".join([*lines, ""])


def last_question(context: Context, move: BaselineMove) -> str:
    """What is shown before anything is uploaded."""
    lines = [
        f"Backup: {context.run.path / move.backup}",
        f"Prepared in {context.run.path / 'prepared'}, for {context.store.location}:",
        *(f"    {source.path}" for source in move.sources),
        *_medians(move.metrics),
        move.note,
        f"Reason: {move.reason}",
    ]
    return "\n".join([*lines, ""])


def closing_report(context: Context, move: BaselineMove) -> str:
    """What is said once it is published; ``{revision}`` stands for the revision."""
    lines = [
        "Records:",
        *(f"    {source.path}" for source in move.sources),
        f"Backup: {context.run.path / move.backup}",
        f"Mirror: {context.run.path / 'mirror'}",
        *_medians(move.metrics),
        f"Expected effect: {move.note}",
        *(f"Still failing: {sentence}" for sentence in move.ceilings),
        "For the pull request:",
        "",
        pull_request(context, move),
    ]
    return "\n".join(lines)


def pull_request(context: Context, move: BaselineMove) -> str:
    """What a reviewer wants to know to tell an accepted shift from a hidden regression, as Markdown."""
    undo = ["op=restore", f"run={context.run.path}", *carried_words(context.command)]
    rows = [
        f"| {m.name} ({m.unit}) | {number(m.before)} | {number(m.batch_median)} | {percent(m.spread)} | "
        f"{number(m.after)} |"
        for m in _measured(move.metrics)
    ]
    return "\n".join(
        [
            "### Performance baseline moved",
            "",
            f"- [ ] Reason: {move.reason}",
            *(f"- [ ] {key}: {value}" for key, value in move.target.items()),
            *(
                f"- [ ] Source: {s.given} ({s.timestamp or 'no time'}, {s.commit_sha or 'no commit'})"
                for s in move.sources
            ),
            *(f"- [ ] Warning {warning.name}: {warning.message}" for warning in move.warnings),
            *(f"- [ ] {sentence}" for sentence in move.ceilings),
            f"- [ ] Source commit: {move.git_commit}",
            "- [ ] Store revision: {revision}",
            f"- [ ] To undo: `python -m fvhydra {shlex.join(undo)}`",
            "",
            "| metric | before | sources | spread | after |",
            "| --- | --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def backup_text(context: Context, move: BaselineMove, record: PerfRecord, revision: str, time: str, count: int) -> str:
    """``PROVENANCE.txt`` of the backup."""
    facts = {
        "model_id": record.model_id,
        "gpu_type": record.gpu_type,
        **{key: value for key, value in move.target.items() if key not in ("model_id", "gpu_type")},
        "store": context.store.location,
        "revision": revision,
        "records": count,
        "sources": "".join(f"\n  {source.given}" for source in move.sources),
        "count": len(move.sources),
        "max_intra_batch_regression": move.allowed,
        "head_commit": move.git_commit,
        "utc": time,
        "reason": move.reason,
    }
    return "".join(f"{key}: {value}\n" for key, value in facts.items())


def _measured(metrics: Sequence[BaselineMetric]) -> list[BaselineMetric]:
    return [
        metric for metric in metrics if any(v is not None for v in (metric.before, metric.batch_median, metric.after))
    ]


def _medians(metrics: Sequence[BaselineMetric]) -> list[str]:
    return ["Medians (before, of the sources with their spread, after):"] + [
        f"    {m.name}: {number(m.before)}, {number(m.batch_median)} ({percent(m.spread)}), {number(m.after)} {m.unit}"
        for m in _measured(metrics)
    ]
