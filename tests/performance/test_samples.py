# SPDX-License-Identifier: Apache-2.0
"""Files of single runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fvhydra.core.errors import UsageError
from fvhydra.performance.samples import SampleRun, read_samples, write_samples


def test_only_measured_runs_count_those_with_moved_conditions_too(tmp_path: Path) -> None:
    runs = [
        SampleRun("first", {"latency": 9.0}),
        SampleRun("warmup", {"latency": 5.0}),
        SampleRun("measured", {"latency": 3.0, "memory": None, "other_time_s": 1.0}),
        SampleRun("measured", {"latency": 4.0, "memory": 7}, ("clock",)),
    ]
    path = tmp_path / "samples.json"
    write_samples(path, runs, {"gpu": "L40S"})
    found = read_samples(path)
    assert len(found.measured) == 2 and found.facts == {"gpu": "L40S"}
    assert (found.values["latency"], found.values["memory"], found.values["dit_time_s"]) == ([3.0, 4.0], [7.0], [])
    assert "other_time_s" not in found.values and found.measured[1].moved == ("clock",)


def test_a_number_that_is_not_finite_is_no_run_that_lacks_it(tmp_path: Path) -> None:
    path = tmp_path / "samples.json"
    path.write_text('{"runs": [{"kind": "measured", "values": {"latency": 1, "memory": NaN}}]}')
    with pytest.raises(UsageError, match="memory of a run is no finite number"):
        read_samples(path)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "is not a file of single runs"),
        ({"runs": [{"kind": "measured"}]}, "is not a file of single runs"),
        ({"runs": [{"kind": "measured", "values": {"latency": "x"}}]}, "is not a file of single runs"),
        ({"runs": [], "schema_version": 2}, "has schema version 2"),
    ],
)
def test_what_is_none(tmp_path: Path, value: object, said: str) -> None:
    path = tmp_path / "samples.json"
    path.write_text(json.dumps(value))
    with pytest.raises(UsageError, match=said):
        read_samples(path)
