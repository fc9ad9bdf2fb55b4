# SPDX-License-Identifier: Apache-2.0
"""Rows of scores: what is written is read back, whatever interrupted the writer."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from fvhydra.core.errors import UsageError
from fvhydra.core.files import sha256_bytes
from fvhydra.core.scores import INFINITE, UNDEFINED, ScoreRow, read_rows, side_file, write_rows


def _row(sample: str, metric: str = "m", value: float | None = 1.0, **facts: object) -> ScoreRow:
    return ScoreRow(sample, metric, 1, "p", "c", "ok", value, **facts)  # type: ignore[arg-type]


def test_a_number_is_infinite_where_the_code_says_so() -> None:
    assert _row("a", value=0.0).number == 0.0 and _row("a", value=None).number is None
    assert _row("a", value=None, code=INFINITE).number == math.inf
    assert _row("a", value=None, code=UNDEFINED).number is None


def test_equal_work_has_an_equal_key() -> None:
    assert _row("a").key == ("a", "m", 1, "p", "c")


def test_rows_are_written_by_sample_and_metric_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    rows = [_row("a", "m"), _row("a", "n"), _row("b\udce9", "m", prompt="é", tags=["t"], outputs={"x": 1})]
    write_rows(path, reversed(rows))
    assert list(read_rows(path)) == rows
    assert path.read_bytes().isascii() and path.read_text().endswith("}\n")
    assert path.read_text().startswith('{"clips": {}, "code": "", "content": "c"')


def test_what_is_no_number_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        write_rows(tmp_path / "scores.jsonl", [_row("a", value=math.nan)])


def test_a_last_line_that_was_cut_off_is_left_out_and_any_other_is_named(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    write_rows(path, [_row("a"), _row("b")])
    whole = path.read_text()
    path.write_text(whole[:-20])
    assert [row.sample for row in read_rows(path)] == ["a"]
    path.write_text(whole.replace('"a"', "1"))
    with pytest.raises(UsageError, match=r"scores\.jsonl line 1 is not a row of scores: sample is 1"):
        list(read_rows(path))
    path.write_text("{\n" + whole)
    with pytest.raises(UsageError, match=r"scores\.jsonl line 1 is not valid JSON"):
        list(read_rows(path))


def test_arrays_of_a_sample_have_one_file_whatever_its_name(tmp_path: Path) -> None:
    assert side_file(tmp_path, "a") == tmp_path / "frames" / f"{sha256_bytes(b'a')[:16]}.npz"
    assert side_file(tmp_path, "a\udce9") != side_file(tmp_path, "a")
