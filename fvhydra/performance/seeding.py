# SPDX-License-Identifier: Apache-2.0
"""The first baseline of a new identity: which measurements may become it, and the records that they become."""

from __future__ import annotations

from collections.abc import Sequence

from fvhydra.core.errors import UsageError
from fvhydra.performance.history import History
from fvhydra.performance.record import IDENTITY_KEYS, METRICS, Identity, PerfRecord
from fvhydra.performance.reseeding import PROVENANCE_PREFIXES, Occasion, fresh_times, placed
from fvhydra.performance.sources import Source

_MEASURED = ("latency", "throughput", "memory")
"""What a first baseline must have, above 0; other metrics may be missing."""

_WANTED = {
    "success": (True,),
    "run_source": ("scheduled_main",),
    "test_scope": ("full",),
    "branch": ("main",),
    "pr_number": (None, "", "false", False),
    "comparison_status": ("CALIBRATION_NEEDED",),
    "baseline_eligible": (False,),
}
"""What a scheduled run of the whole suite on the main branch says that found no baseline."""


def refuse_unfit(sources: Sequence[Source]) -> None:
    """Refuse what no first baseline may be made of.

    Raises:
        UsageError: Names the source, the key and what it must be.
    """
    for source in sources:
        fields = source.record.fields
        if source.record.identity is None:
            raise UsageError(
                f"{source.given} has no identity ({', '.join(IDENTITY_KEYS)}), so it is the first of no new one.",
                "The first baseline of records without identity is a re-seed: op=reseed_perf.",
            )
        for key, wanted in _WANTED.items():
            if not any(type(fields.get(key)) is type(one) and fields.get(key) == one for one in wanted):
                raise UsageError(
                    f"{source.given} has {key}={fields.get(key)!r}; a first baseline comes of {_said(wanted[0])}.",
                    "Give the artifact of a scheduled run on main that found no baseline, or use op=reseed_perf.",
                )
        for name in METRICS:
            value = source.record.value(name)
            if (name in _MEASURED and not (value and value > 0)) or (value is not None and value < 0):
                raise UsageError(
                    f"{source.given} has {name}={value}; {', '.join(_MEASURED)} must be above 0 in a first baseline, "
                    "and no other metric below 0."
                )


def refuse_known(identity: Identity, history: History, weights: str) -> None:
    """Refuse an identity that has a baseline, and one whose workload is trusted by another recipe.

    Raises:
        UsageError: Names the records that stand in the way.
    """
    if found := history.baseline(identity, weights).records:
        raise UsageError(
            f"{identity} has {len(found)} record(s) of a baseline already, the newest {found[-1].path}: the artifact "
            "is stale, it was measured before that.",
            "Check against it with op=check_perf, or move it with op=reseed_perf.",
        )
    if others := history.trusted_with_another_recipe(identity, weights):
        raise UsageError(
            f"{identity.workload_id} {identity.variant_id} version {identity.benchmark_version} is trusted with "
            f"another recipe: {others[-1].path} has the fingerprint {others[-1].fields.get('recipe_fingerprint')}, the "
            f"source {identity.recipe_fingerprint}.",
            "A changed recipe is a new benchmark_version, which a review of the benchmark's file raises.",
        )


def seeded_records(sources: Sequence[Source], history: History, occasion: Occasion) -> list[PerfRecord]:
    """A new record for each source, in their order, with all its fields, each with its path in the store."""
    target = sources[0].record.target
    times = fresh_times(len(sources), history.of(target, weights=None), occasion.now)
    made = []
    for index, (source, time) in enumerate(zip(sources, times, strict=True), 1):
        given = source.record.fields
        kept = {key: value for key, value in given.items() if not key.startswith(PROVENANCE_PREFIXES)}
        made.append(
            PerfRecord(
                {
                    **kept,
                    "timestamp": time,
                    "success": True,
                    "baseline_eligible": True,
                    "comparison_status": "PASS",
                    "baseline_seed": True,
                    "baseline_seed_reason": occasion.reason,
                    "baseline_seed_source_result": source.given,
                    "baseline_seed_source_status": given.get("comparison_status"),
                    "baseline_seed_source_timestamp": given.get("timestamp"),
                    "baseline_seed_source_success": given.get("success"),
                    "baseline_seed_source_run_source": given.get("run_source"),
                    "baseline_seed_source_branch": given.get("branch"),
                    "baseline_seed_source_test_scope": given.get("test_scope"),
                    "baseline_seed_source_pr_number": given.get("pr_number"),
                    "baseline_seed_batch_size": len(sources),
                    "baseline_seed_batch_index": index,
                    "baseline_seed_operator": occasion.operator,
                }
            )
        )
    return placed(made, history, "seed")


def _said(wanted: object) -> str:
    return "no pull request" if wanted is None else repr(wanted)
