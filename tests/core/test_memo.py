# SPDX-License-Identifier: Apache-2.0
"""What is worked out once is worked out once."""

from __future__ import annotations

import pytest

from fvhydra.core.memo import Memo


def test_each_key_is_made_once_and_none_is_a_value() -> None:
    memo, made = Memo(), []

    def make() -> None:
        made.append("x")

    assert [memo.once("a", make), memo.once("a", make)] == [None, None] and made == ["x"]
    assert memo.once("b", lambda: 2) == 2 and memo.once("a", lambda: 3) is None


def test_an_error_is_not_kept() -> None:
    memo = Memo()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            memo.once("a", lambda: 1 / 0)
    assert memo.once("a", lambda: 1.0) == 1.0
