# SPDX-License-Identifier: Apache-2.0
"""No name and no password of an address is written down."""

from __future__ import annotations

import pytest

from fvhydra.config.secrets import without_signatures, without_user_info, words_without_user_info


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


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://ci.example/a.json?sig=a,b&c=(1)#top", "https://ci.example/a.json"),
        ("op.x=http://h/a?x=1", "op.x=http://h/a"),
        ("op.x=[http://h/a?x=1,2,http://h/b?y=2]", "op.x=[http://h/a,http://h/b]"),
        ("op.x=['http://h/a?x=1', 'http://h/b?y=2']", "op.x=['http://h/a', 'http://h/b']"),
        ("op.reason=see https://ci.example/build?id=3", "op.reason=see https://ci.example/build?id=3"),
        ("a?b", "a?b"),
    ],
)
def test_a_signature_goes_with_the_query_of_an_address(text: str, kept: str) -> None:
    assert without_signatures({"a": [text, 1, None]}) == {"a": [kept, 1, None]}
