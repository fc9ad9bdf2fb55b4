# SPDX-License-Identifier: Apache-2.0
"""A record after its comparison: what is appended to a store."""

from __future__ import annotations

from fvhydra.core.performance import PerfComparison
from fvhydra.core.verdict import Verdict
from fvhydra.performance.gate import policies, serialized
from fvhydra.performance.record import PerfRecord

TRUSTED_SOURCE = "scheduled_main"
"""``run_source`` of the only runs that are eligible for a baseline by passing."""


def concluded(record: PerfRecord, found: PerfComparison) -> PerfRecord:
    """The record with how it compared, in the fields of its kind.

    A regression is no success, so it is in no baseline. A record with an identity is eligible when it passed and comes
    from the main branch's schedule. One without stays as it is, unless it did not pass: then it is not eligible, which
    older records say by nothing but their success.
    """
    passed = found.verdict is Verdict.PASS
    fields = {**record.fields, "success": record.success and found.verdict is not Verdict.REGRESSION}
    if record.identity is not None:
        given = record.fields.get("regression_thresholds")
        fields |= {
            "regression_thresholds": serialized(policies(given if isinstance(given, dict) else None)),
            "comparison_status": found.status,
            "comparison_status_reason": found.reason,
            "baseline_eligible": passed
            and record.run_source == TRUSTED_SOURCE
            and record.fields.get("benchmark_declared") is not False,  # ids that nobody declared are nobody else's
        }
    elif not passed:
        fields["baseline_eligible"] = False
    return PerfRecord(fields)
