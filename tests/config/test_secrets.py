# SPDX-License-Identifier: Apache-2.0
"""No name and no password of an address is written down."""

from __future__ import annotations

import pytest

from fvhydra.config.secrets import without_user_info, words_without_user_info


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a=https://ada:secret@hub.example/api", "a=https://hub.example/api"),
        ("https://ada@h https://b:c@i/", "https://h https://i/"),
        ("https://a@b@c/d", "https://c/d"),
        ("https://hub.example/a@b", "https://hub.example/a@b"),
        ("https://h?x=a@b https://h#a@b", "https://h?x=a@b https://h#a@b"),
        ("ada@example.org", "ada@example.org"),
    ],
)
def test_only_what_stands_before_the_host_goes(text: str, kept: str) -> None:
    assert without_user_info(text) == kept
    assert words_without_user_info([text, "x"]) == [kept, "x"]
