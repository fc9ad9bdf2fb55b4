# SPDX-License-Identifier: Apache-2.0
"""Text from outside moves no cursor and reorders nothing."""

from __future__ import annotations

from fvhydra.core.text import printable


def test_what_acts_on_a_terminal_is_shown_as_a_character_of_no_effect() -> None:
    for character in "\x00\x08\x0b\x1b\x7f\x9b\u2028\u202e\u2066\ud800\ufffe":
        assert printable(f"a{character}b") == "a\ufffdb"
    assert printable("a\rb\r\n") == "a\ufffdb\r\n"


def test_everything_else_stays() -> None:
    text = "a\tb\nc \u00e9\u4e2d\U0001f600\xa0"
    assert printable(text) == text
