# SPDX-License-Identifier: Apache-2.0
"""Where records lie."""

from __future__ import annotations

import pytest

from fvhydra.core.errors import UsageError
from fvhydra.performance.names import is_record_path, normalized_name, record_path
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


def test_what_else_lies_in_a_store_is_no_record() -> None:
    others = ["a.json", "a/b.txt", "a/b/c.json", "journal/0.json", "drafts/0.json", "reference_videos/0.json"]
    assert not [path for path in others if is_record_path(path)]
    assert is_record_path("drafts-2/0.json")
