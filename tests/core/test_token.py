# SPDX-License-Identifier: Apache-2.0
"""A token is found where its owner put it, and shown nowhere."""

from __future__ import annotations

import huggingface_hub
import pytest

from fvhydra.core.token import TOKEN_VARIABLES, Token, cached_login, find_token, without_token


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TOKEN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)


def test_there_may_be_none() -> None:
    assert find_token() is None and cached_login() is None


def test_the_first_variable_that_is_set_counts_before_the_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "hf_login")
    assert find_token() == Token("hf_login", "the cached login")
    for name in reversed(TOKEN_VARIABLES):
        monkeypatch.setenv(name, f" hf_{name} ")
        assert find_token() == Token(f"hf_{name}", name)
    monkeypatch.setenv(TOKEN_VARIABLES[0], " ")
    assert find_token() == Token(f"hf_{TOKEN_VARIABLES[1]}", TOKEN_VARIABLES[1])


def test_a_token_does_not_show_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    found = find_token()
    assert found is not None and found.value == "hf_secret" and "secret" not in repr(found)


def test_a_block_without_a_token_has_none_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    with pytest.raises(ZeroDivisionError), without_token():
        assert find_token() is None
        raise ZeroDivisionError
    assert find_token() is not None
