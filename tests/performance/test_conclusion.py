# SPDX-License-Identifier: Apache-2.0
"""What a record says of itself once it was compared."""

from __future__ import annotations

from typing import Any

import pytest

from fvhydra.core.verdict import Verdict
from fvhydra.performance.conclusion import concluded
from fvhydra.performance.gate import check
from fvhydra.performance.history import History
from fvhydra.performance.record import PerfRecord
from tests.performance.making import record, with_identity

LOOSE = {"latency": {"threshold_percent": 0.5}}


def after(now: PerfRecord, *old: PerfRecord) -> dict[str, Any]:
    return dict(concluded(now, check(now, History.of_records(old))).fields)


@pytest.mark.parametrize(
    ("fields", "status", "success", "eligible"),
    [
        ({}, "PASS", True, True),
        ({"run_source": "pr"}, "PASS", True, False),
        ({"run_source": "local", "baseline_eligible": True}, "PASS", True, False),
        ({"latency": 20.0}, "REGRESSION", False, False),
        ({"success": False}, "INFRA_ERROR", False, False),
        ({"success": False, "latency": 20.0}, "REGRESSION", False, False),
        ({"software_profile_id": "sw-2"}, "CALIBRATION_NEEDED", True, False),
        ({"recipe_fingerprint": "bb"}, "RECIPE_MISMATCH", True, False),
    ],
)
def test_a_record_with_an_identity(fields: dict[str, Any], status: str, success: bool, eligible: bool) -> None:
    found = after(with_identity(9, **fields), with_identity(1))
    assert (found["comparison_status"], found["success"], found["baseline_eligible"]) == (status, success, eligible)
    assert found["comparison_status_reason"] and len(found["regression_thresholds"]) == 6


def test_it_keeps_thresholds_of_its_own() -> None:
    found = after(with_identity(9, regression_thresholds=LOOSE, latency=14.0), with_identity(1))
    assert found["comparison_status"] == "PASS"
    assert found["regression_thresholds"]["latency"]["threshold_percent"] == 0.5


def test_one_without_gets_no_keys_that_older_records_do_not_have() -> None:
    assert after(record(9), record(1)) == record(9).fields
    assert after(record(9, latency=20.0), record(1)) == record(9, latency=20.0).fields | {
        "success": False,
        "baseline_eligible": False,
    }
    assert check(record(9, success=None), History.of_records([record(1)])).verdict is Verdict.INFRASTRUCTURE
    assert after(record(9)) == record(9).fields | {"baseline_eligible": False}
