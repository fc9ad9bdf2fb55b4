# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fvhydra.metrics.functional.vbench.leaderboard import DIMENSIONS, leaderboard
from tests.metrics.golden import load

GOLDEN = load("vbench_aggregate")


def underscored(values: dict[str, float]) -> dict[str, float]:
    return {name.replace(" ", "_"): value for name, value in values.items()}


def test_recorded_constants() -> None:
    ranges = underscored(GOLDEN["normalize"])
    weights = underscored(GOLDEN["dim_weight"])
    recorded = {name: (ranges[name]["Min"], ranges[name]["Max"], weights[name]) for name in ranges}  # type: ignore[index]
    assert {name: (each.worst, each.best, each.weight) for name, each in DIMENSIONS.items()} == recorded
    for group in ("quality", "semantic"):
        names = [name.replace(" ", "_") for name in GOLDEN[f"{group}_list"]]
        assert [name for name, each in DIMENSIONS.items() if each.group == group] == names


@pytest.mark.parametrize("name", GOLDEN["cases"])
def test_recorded(name: str) -> None:
    case = GOLDEN["cases"][name]
    found = leaderboard(underscored(case["raw"]))
    assert dict(found.normalised) == pytest.approx(underscored(case["normalized_times_weight"]), rel=1e-12)
    assert [found.quality, found.semantic, found.total] == pytest.approx(
        [case["quality"], case["semantic"], case["total"]], rel=1e-12
    )
    assert found.missing == ()


def test_every_dimension_raises_the_total() -> None:
    values = dict.fromkeys(DIMENSIONS, 0.5)
    before = leaderboard(values).total
    assert before is not None
    for name in DIMENSIONS:
        after = leaderboard(values | {name: 0.6}).total
        assert after is not None
        assert after > before


def test_no_total_without_all_dimensions() -> None:
    values = {name: 0.5 for name, each in DIMENSIONS.items() if each.group == "quality"}
    found = leaderboard(values)
    assert found.quality is not None
    assert (found.semantic, found.total, len(found.missing)) == (None, None, 9)


def test_a_dimension_that_is_none() -> None:
    with pytest.raises(ValueError, match=r"no dimensions of VBench: colour; it has .*color"):
        leaderboard({"colour": 1.0})
