# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from fvhydra.metrics.functional import judge
from tests.metrics.golden import load

GOLDEN = load("judge")
PAIRS = [f"{pair['video_path']}|{pair['reference_path']}" for pair in GOLDEN["pairs"]]
RESULTS = {name: result for name, result in GOLDEN["results"].items() if "verdicts" in result}
ALWAYS = {"always_first_k3": "video_1", "always_first_k2": "video_1", "all_tie_k3": "tie"}


def orders(result: dict[str, Any]) -> list[list[bool]]:
    comparisons = len(result["first_is_candidate"]) // len(PAIRS)
    return [judge.candidate_first(pair, comparisons, parity="peer") for pair in PAIRS]


@pytest.mark.parametrize("name", RESULTS)
def test_recorded_orders(name: str) -> None:
    assert [first for order in orders(RESULTS[name]) for first in order] == RESULTS[name]["first_is_candidate"]


@pytest.mark.parametrize("name", [*ALWAYS, "candidate_k3"])
def test_recorded_verdicts(name: str) -> None:
    verdicts = []
    for order in orders(RESULTS[name]):
        answers: Any = [ALWAYS.get(name) or ("video_1" if first else "video_2") for first in order]
        verdicts.append(judge.pair_verdict(answers, order).verdict)
    assert verdicts == RESULTS[name]["verdicts"]


@pytest.mark.parametrize("name", RESULTS)
def test_recorded_tally(name: str) -> None:
    result, labels = RESULTS[name], [pair["action"] for pair in GOLDEN["pairs"]]
    expected = result["details"]
    found = judge.tally(result["verdicts"])
    assert (found.wins, found.losses, found.ties) == tuple(expected[key] for key in ("wins", "losses", "ties"))
    assert found.win_rate == result["score"]
    by_action = judge.tally_by(result["verdicts"], labels)
    assert list(by_action) == list(expected["per_action"])
    for label, each in by_action.items():
        recorded = expected["per_action"][label]
        assert (each.wins, each.losses, each.ties, each.win_rate) == tuple(
            recorded[key] for key in ("wins", "losses", "ties", "win_rate")
        )


def test_a_judge_that_prefers_a_place_decides_nothing() -> None:
    for pair in PAIRS:
        order = judge.candidate_first(pair, 4)
        assert sorted(order) == [False, False, True, True]
        found = judge.pair_verdict(["video_2"] * 4, order)
        assert (found.verdict, found.position_consistent) == ("tie", False)


def test_a_judge_that_sees_the_better_clip() -> None:
    order = judge.candidate_first("a|b", 2)
    answers: Any = ["video_1" if first else "video_2" for first in order]
    assert judge.pair_verdict(answers, order) == judge.PairVerdict("candidate", True)
    assert judge.pair_verdict(answers[::-1], order).verdict == "baseline"


def test_odd_numbers_are_refused() -> None:
    for comparisons in (0, 3):
        with pytest.raises(ValueError, match=f"even number of times, not {comparisons}"):
            judge.candidate_first("a|b", comparisons)


def test_interval() -> None:
    # Wilson's example as in Newcombe (1998), 81 of 263
    assert judge.wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert judge.wilson_interval(0, 5)[0] == 0
    assert judge.tally(["tie"]).interval is None
    with pytest.raises(ValueError, match="0 of 0"):
        judge.wilson_interval(0, 0)


def test_answers_and_comparisons_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="2 comparisons need as many answers, not 1"):
        judge.pair_verdict(["tie"], [True, False])
