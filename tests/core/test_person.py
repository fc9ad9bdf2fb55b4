# SPDX-License-Identifier: Apache-2.0
"""A user without a name is a number, never an error."""

from __future__ import annotations

import getpass
import os

import pytest

from fvhydra.core.person import person


@pytest.mark.parametrize("error", [KeyError("uid not found"), OSError("No username set in the environment")])
def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def nameless() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert person() == f"uid {os.getuid()}"


def test_a_user_with_a_name_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    assert person() == "ada"
