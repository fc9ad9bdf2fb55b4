# SPDX-License-Identifier: Apache-2.0
"""What taking records out of a performance history, or putting them back, does to its baselines."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from fvhydra.core.baseline import BaselineMetric, BaselineMove, BaselineSource
from fvhydra.core.environment import git_state
from fvhydra.performance.history import History
from fvhydra.performance.record import METRICS, PerfRecord, Target
from fvhydra.performance.reseeding import with_medians


def moves(
    history: History, returning: Mapping[str, PerfRecord], leaving: Collection[str], reason: str
) -> list[BaselineMove]:
    """Each baseline that is touched, before and after.

    Args:
        history: As it is; a file that is no record has no part in any baseline.
        returning: Records that are put back, by path.
        leaving: Paths of records that are taken away or replaced.
        reason: Why.
    """
    gone = [record for record in history.records if record.path in {*leaving, *returning}]
    touched = [record for record in gone if record.path not in returning] + list(returning.values())
    kept = [record for record in history.records if record.path not in {*leaving, *returning}]
    after = History.of_records([*kept, *returning.values()])
    targets = dict.fromkeys((record.target, record.weights) for record in touched)
    return [
        _move(
            history, after, target, weights, [r for r in touched if (r.target, r.weights) == (target, weights)], reason
        )
        for target, weights in targets
    ]


def _move(
    before: History, after: History, target: Target, weights: str, touched: list[PerfRecord], reason: str
) -> BaselineMove:
    metrics = [BaselineMetric(m.name, m.title, m.unit, m.higher_is_better) for m in METRICS.values()]
    old, new = before.baseline(target, weights), after.baseline(target, weights)
    with_medians(metrics, old.medians, new.medians)
    there = {record.path for record in after.records}
    return BaselineMove(
        target={key: str(value) for key, value in vars(target).items()},
        reason=reason,
        allowed=None,
        git_commit=git_state().get("git_commit", "unknown"),
        successes=old.eligible,
        note=f"{old.eligible} eligible success(es) before, {new.eligible} after.",
        backup="",
        sources=[
            BaselineSource(
                "put back" if record.path in there else "taken away",
                record.timestamp,
                record.commit_sha,
                record.success,
                record.path,
            )
            for record in touched
        ],
        metrics=metrics,
    )
