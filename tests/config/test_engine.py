# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pydantic
import pytest

from fvhydra.config.engine import EngineConfig
from fvhydra.core.token import TOKEN_VARIABLES

OWN = {"isolate": True, "python": "p", "path": "p", "env": {"A": "1"}}


def engine(**settings: Any) -> EngineConfig:
    return EngineConfig(_target_="a.B", name="b", **settings)


@pytest.mark.parametrize(
    ("settings", "own"),
    [
        ({}, False),
        ({"isolate": True}, True),
        ({"python": "p"}, True),
        ({"path": "p"}, True),
        ({"env": {"A": "1"}}, True),
    ],
)
def test_what_asks_for_a_process_of_its_own(settings: dict[str, Any], own: bool) -> None:
    assert engine(**settings).own_process is own


def test_a_limit_that_nobody_could_keep_is_refused() -> None:
    with pytest.raises(pydantic.ValidationError, match=r"add engine\.isolate=true"):
        engine(timeout_s=5)
    assert engine(timeout_s=5, isolate=True).timeout_s == 5


@pytest.mark.parametrize("name", [*TOKEN_VARIABLES, "WANDB_API_KEY", "AWS_SECRET_ACCESS_KEY", "my_password"])
def test_a_secret_is_not_recorded(name: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=f"is recorded, so {name} must be set for the command"):
        engine(env={name: "hidden"})
    assert engine(env={"TOKENIZERS_PARALLELISM": False, "A": 1}).env == {"TOKENIZERS_PARALLELISM": "False", "A": "1"}


@pytest.mark.parametrize("env", ["A=1", ["A"], {"A": None}, {"A": {"B": 1}}])
def test_what_is_no_variable_is_refused(env: Any) -> None:
    with pytest.raises(pydantic.ValidationError, match="must be variables with their values"):
        engine(env=env)
