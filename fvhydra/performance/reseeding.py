# SPDX-License-Identifier: Apache-2.0
"""New records out of reviewed measurements: what of a source they keep, when they are dated, what they are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fvhydra.core.baseline import BaselineMetric
from fvhydra.performance.history import History
from fvhydra.performance.names import record_path
from fvhydra.performance.record import IDENTITY_KEYS, METRICS, Identity, PerfRecord, Target
from fvhydra.performance.sources import Source

PROVENANCE_PREFIXES = ("baseline_reseed", "baseline_seed")
"""How keys begin that say how a record was made; none of them is ever inherited."""

FIRST_FIELDS = ("model_id", "timestamp", "commit_sha", "gpu_type", *METRICS, "success")
"""What a record has where the target has none to go by."""

KEPT_APART = ("weights", "benchmark_declared")
"""What keeps a record out of baselines that it must not be part of; a source that says it goes on saying it."""

_WITH_IDENTITY = ("baseline_eligible", "comparison_status")
_FIRST_WITH_IDENTITY = (
    *("result_schema_version", *IDENTITY_KEYS),
    *("recipe", "hardware_profile", "software_profile", "software_comparison_profile"),
)
_STEP = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Occasion:
    """Why, by whom and when records are made.

    Attributes:
        reason: In a line.
        operator: Who confirms.
        allowed: ``max_intra_batch_regression``.
        now: With a time zone.
    """

    reason: str
    operator: str
    allowed: float
    now: datetime


def allowed_fields(target: Target, records: Sequence[PerfRecord]) -> set[str]:
    """Keys that a new record of a target may have: those that its records have, failed ones too.

    Args:
        target: What it is of.
        records: All that there are of it.
    """
    inherited = {key for record in records for key in record.fields if not key.startswith(PROVENANCE_PREFIXES)}
    found = {*(inherited or FIRST_FIELDS), *KEPT_APART}
    if isinstance(target, Identity):
        found |= {*_WITH_IDENTITY, *(() if inherited else _FIRST_WITH_IDENTITY)}
    return found


def reseeded_records(sources: Sequence[Source], history: History, occasion: Occasion) -> list[PerfRecord]:
    """A new record for each source, in their order, each with its path in the store.

    Args:
        sources: Of one target, the earliest first.
        history: Of the store.
        occasion: Why, by whom, when.
    """
    target, weights = sources[0].record.target, sources[0].record.weights
    allowed = allowed_fields(target, history.of(target, weights))
    times = fresh_times(len(sources), history.of(target, weights=None), occasion.now)
    made = []
    for index, (source, time) in enumerate(zip(sources, times, strict=True), 1):
        fields = {key: value for key, value in source.record.fields.items() if key in allowed}
        if not isinstance(target, Identity) and "baseline_eligible" not in allowed:
            fields.pop("run_source", None)  # a record that has it counts only with baseline_eligible
        outcome = {"baseline_eligible": True, "comparison_status": "PASS"}
        fields |= {key: value for key, value in outcome.items() if key in allowed}
        fields.pop("comparison_status_reason", None)  # why the source did not pass
        fields |= {"model_id": source.record.model_id, "timestamp": time, "success": True}
        fields |= {
            "baseline_reseed": True,
            "baseline_reseed_reason": occasion.reason,
            "baseline_reseed_source_result": source.given,
            "baseline_reseed_source_timestamp": source.record.timestamp or None,
            "baseline_reseed_source_success": source.record.fields.get("success"),
            "baseline_reseed_batch_size": len(sources),
            "baseline_reseed_batch_index": index,
            "baseline_reseed_operator": occasion.operator,
            "baseline_reseed_max_intra_batch_regression": occasion.allowed,
        }
        made.append(PerfRecord(fields))
    return placed(made, history, "reseed")


def fresh_times(count: int, records: Sequence[PerfRecord], now: datetime) -> list[str]:
    """Times for new records: one after the other, and after every record there is.

    Args:
        count: How many.
        records: Those there are.
        now: With a time zone.
    """
    newest = max((record.time for record in records if record.time is not None), default=None)
    start = now.astimezone(UTC).replace(microsecond=now.microsecond // 1000 * 1000)
    if newest is not None and newest >= start:
        start = newest.astimezone(UTC) + _STEP
    return [(start + index * _STEP).isoformat(timespec="microseconds") for index in range(count)]


def placed(records: Sequence[PerfRecord], history: History, word: str) -> list[PerfRecord]:
    """Records with their paths: ``_<word>_01``, ``_<word>_02``, ... before ``.json``, past those that are taken."""
    taken = {record.path for record in history.records}
    found = []
    number = 0
    for record in records:
        number += 1
        while (path := record_path(record, f"_{word}_{number:02}")) in taken:
            number += 1
        found.append(PerfRecord(record.fields, path))
    return found


def with_medians(
    metrics: Sequence[BaselineMetric], before: Mapping[str, float | None], after: Mapping[str, float | None]
) -> None:
    """Note the baseline's medians before and after."""
    for metric in metrics:
        metric.before, metric.after = before[metric.name], after[metric.name]
