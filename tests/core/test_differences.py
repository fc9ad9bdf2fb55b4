# SPDX-License-Identifier: Apache-2.0
"""What could explain a difference comes first."""

from __future__ import annotations

from fvhydra.core.differences import differences, of_environments, telling
from fvhydra.core.result import Difference

FIRST = {"host": "a", "torch": "2.12", "av": "18", "git_commit": "1", "cuda": "12"}
SECOND = {"host": "b", "torch": "2.13", "av": "18", "git_commit": "2", "fastvideo": "0.1"}


def test_what_differs_is_told_in_order_and_what_a_side_lacks_is_none() -> None:
    assert differences(FIRST, SECOND) == [
        Difference("host", "a", "b"),
        Difference("torch", "2.12", "2.13"),
        Difference("git_commit", "1", "2"),
        Difference("cuda", "12", None),
        Difference("fastvideo", None, "0.1"),
    ]
    assert differences(FIRST, FIRST) == []


def test_facts_that_always_differ_come_last_and_explain_nothing() -> None:
    found = of_environments(FIRST, SECOND)
    assert [difference.key for difference in found] == ["torch", "cuda", "fastvideo", "host", "git_commit"]
    assert [difference.key for difference in telling(found)] == ["torch", "cuda", "fastvideo"]
