# SPDX-License-Identifier: Apache-2.0
"""Records of results: what is written is read back, and older records still are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fvhydra.core import files
from fvhydra.core.artifacts import ClipFacts, LatentComparison, LatentNumerics, LatentThresholds, Numerics
from fvhydra.core.errors import UsageError
from fvhydra.core.result import SCHEMA_VERSION, CaseResult, ChangeStatus, NextCommand, RunResult
from fvhydra.core.verdict import Verdict

NUMERICS = Numerics(1, [1, 2, 3], "torch.float32", "audio_first_8_timesteps", 0.1, 1.0, -2.0, 2.0, 0, 0)


def _read_back(result: RunResult) -> RunResult:
    return RunResult.from_json(json.loads(json.dumps(files.plain(result))))


def test_a_result_is_read_back_as_it_was() -> None:
    case = CaseResult(
        0,
        "a cat",
        None,
        "ab",
        Verdict.PASS,
        comparison=LatentComparison(0.1, 0.2, 0.3, thresholds=LatentThresholds(1, 1)),
    )
    case.numerics, case.clip = LatentNumerics(None, NUMERICS), ClipFacts(9, 16, 24, 8.0)
    result = RunResult("seed_ssim", Verdict.DONE, cases=[case], sides=("reference", "new"))
    result.change = ChangeStatus("a store", 2, said=["Nothing was written."], publish=NextCommand("To publish", "x"))
    assert _read_back(result) == result


def _version_1(**facts: Any) -> dict[str, Any]:
    return {"op": "seed_ssim", "verdict": "done", "cases": [], "details": {}, "exit_code": 0} | facts


def test_a_record_of_version_1_keeps_its_change_and_its_numbers() -> None:
    latent = {"index": 0, "prompt": "a", "seed": 1, "fingerprint": "f", "verdict": "done", "kind": "latent"}
    pixel = latent | {"index": 1, "kind": "pixel", "numerics": {"frames": 9, "height": 16, "width": 24, "fps": 8.0}}
    compared = latent | {"index": 2, "numerics": {"reference": vars(NUMERICS), "generated": vars(NUMERICS)}}
    cases = [latent | {"numerics": vars(NUMERICS)}, pixel, compared]
    found = RunResult.from_json(
        _version_1(cases=cases, details={"change": "prepared", "published": "r7", "store": "s"})
    )
    assert found.change is not None and (found.change.published, found.change.store) == ("r7", "s")
    assert found.details == {"store": "s"} and found.schema_version == SCHEMA_VERSION
    assert [case.numerics for case in found.cases] == [
        LatentNumerics(None, NUMERICS),
        None,
        LatentNumerics(NUMERICS, NUMERICS),
    ]
    assert [case.clip for case in found.cases] == [None, ClipFacts(9, 16, 24, 8.0), None]


def test_a_record_of_a_newer_version_is_refused() -> None:
    with pytest.raises(UsageError, match=f"schema version {SCHEMA_VERSION + 1}; this fvhydra reads up to"):
        RunResult.from_json(_version_1(schema_version=SCHEMA_VERSION + 1))


def test_what_a_record_of_version_1_lacks_or_has_otherwise_is_left_to_the_types() -> None:
    found = RunResult.from_json({"op": "x", "verdict": "pass", "details": {"change": "prepared"}})
    assert found.change == ChangeStatus("", 0) and found.details == {} and found.sides == ("reference", "generated")
    latent = {"index": 0, "prompt": "a", "seed": 1, "fingerprint": "f", "verdict": "done"}
    new, old = {"generated": vars(NUMERICS)}, {"reference": vars(NUMERICS)}
    for numerics, read in (
        ({}, None),
        (None, None),
        (new, LatentNumerics(None, NUMERICS)),
        (old, LatentNumerics(NUMERICS)),
    ):
        [case] = RunResult.from_json(_version_1(cases=[latent | {"numerics": numerics}])).cases
        assert (case.numerics, case.clip) == (read, None)
    for wrong in ({"cases": [1]}, {"cases": 1}, {"details": 1}):
        with pytest.raises(UsageError, match="The recorded result is not one: "):
            RunResult.from_json(_version_1(**wrong))


def test_what_a_newer_record_asks_for_is_said() -> None:
    with pytest.raises(UsageError) as refused:
        RunResult.from_json(_version_1(schema_version=9))
    assert (
        refused.value.message == f"The recorded result has schema version 9; this fvhydra reads up to {SCHEMA_VERSION}."
    )
    assert refused.value.hint == "Install the version that wrote it."
    with pytest.raises(UsageError) as refused:
        RunResult.from_json({"schema_version": SCHEMA_VERSION, "op": "x", "verdict": "zzz"})
    assert refused.value.message.startswith("The recorded result is not one: verdict is 'zzz': Input should be 'done'")


def test_numerics_of_the_present_version_are_not_those_of_an_old_one() -> None:
    """A record of this version is not brought up to date: its `details` are the op's own."""
    now = {"op": "x", "verdict": "pass", "details": {"change": "x"}, "schema_version": SCHEMA_VERSION}
    found = RunResult.from_json(now)
    assert found.details == {"change": "x"} and found.change is None
