# SPDX-License-Identifier: Apache-2.0
"""Where records lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from fvhydra.core.errors import UsageError
from fvhydra.performance.names import normalized_name, record_path, records_of_run, samples_path
from fvhydra.stores.layout import is_record
from tests.performance.making import record


def test_the_path_of_a_record() -> None:
    one = record(model_id="a/b", timestamp="2026-05-03T10:11:12+00:00", commit_sha="abc")
    assert record_path(one) == "a_b/2026-05-03T10_11_12_00_00_abc.json"
    assert record_path(one, "_reseed_01") == "a_b/2026-05-03T10_11_12_00_00_abc_reseed_01.json"
    assert normalized_name(one) == "normalized_perf_a_b_2026-05-03T10_11_12_00_00_abc.json"
    assert record_path(record(model_id="..", commit_sha=None, timestamp="t")) == "_../t_unknown.json"


@pytest.mark.parametrize("fields", [{"model_id": "a" * 256}, {"commit_sha": "a" * 240}])
def test_names_that_no_file_system_takes(fields: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="at most 255 fit into a path"):
        record_path(record(**fields))


def test_a_record_is_where_changes_may_put_records() -> None:
    odd = record(timestamp="", commit_sha="")
    assert all(is_record(record_path(each)) for each in (record(), record(model_id=".."), odd))


def test_what_a_run_leaves(tmp_path: Path) -> None:
    folder = tmp_path / "performance"
    folder.mkdir()
    path = folder / normalized_name(record())
    path.touch()
    samples_path(path).touch()
    assert records_of_run(tmp_path) == [path]
    assert samples_path(path).name == path.name.replace("normalized_perf_", "samples_perf_")
    assert samples_path(Path("a/other.json")) == Path("a/samples_perf_other.json")
    assert records_of_run(tmp_path / "empty") == []
