# SPDX-License-Identifier: Apache-2.0
"""Pairs of scores: which way they moved, and how they are kept."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from fvhydra.core.comparison import MetricComparison, Pair, read_pairs, write_pairs
from fvhydra.core.errors import UsageError


@pytest.mark.parametrize(
    ("before", "after", "difference", "higher", "lower"),
    [
        (1.0, 3.0, 2.0, "better", "worse"),
        (3.0, 1.0, -2.0, "worse", "better"),
        (0.0, 0.0, 0.0, "equal", "equal"),
        (0.0, 1.0, 1.0, "better", "worse"),
        (1.0, 0.0, -1.0, "worse", "better"),
        (None, None, 0.0, "equal", "equal"),
        (1.0, None, math.inf, "better", "worse"),
        (None, 1.0, -math.inf, "worse", "better"),
    ],
)
def test_a_pair_moves_by_the_direction_of_its_metric(
    before: float | None, after: float | None, difference: float, higher: str, lower: str
) -> None:
    pair = Pair("m", "s", before, after)
    assert pair.difference == difference
    assert (pair.outcome("higher"), pair.outcome("lower")) == (higher, lower)
    assert pair.outcome("none") == ("equal" if difference == 0 else "moved")


def test_a_metric_is_compared_when_it_has_a_value_on_both_sides() -> None:
    assert not MetricComparison("m", "M", "higher", "1").is_compared
    assert MetricComparison("m", "M", "higher", "1", difference=0.0).is_compared
    assert MetricComparison("m", "M", "higher", "1", pairs=1).is_compared


def test_pairs_are_kept_by_metric_with_the_largest_difference_first(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    moved = Pair("a", "y", 1.0, -2.0, {"before": {"clip": "x.mp4"}, "after": {}}, "a cat", ["t"], 8.0)
    ordered = [
        Pair("a", "z", 1.0, None),
        moved,
        Pair("a", "w", 0.0, 1.0),
        Pair("a", "x", 1.0, 0.0),
        Pair("b", "a", 0.0, 9.0),
    ]
    write_pairs(path, reversed(ordered))
    assert list(read_pairs(path)) == ordered
    assert path.read_text().splitlines()[2].startswith('{"after":1.0,"before":0.0,"clips":{}')


def test_a_line_that_is_no_pair_is_named(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    write_pairs(path, [Pair("a", "x", 1.0, 2.0)])
    path.write_text(path.read_text() + '{"metric": "a"}\n')
    with pytest.raises(UsageError, match=r"pairs\.jsonl line 2 is not a pair of scores: sample is"):
        list(read_pairs(path))
    path.write_text("{\n")
    with pytest.raises(UsageError, match=r"pairs\.jsonl line 1 is not valid JSON"):
        list(read_pairs(path))
