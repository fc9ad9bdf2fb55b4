# SPDX-License-Identifier: Apache-2.0
"""``engine=``: what runs the model."""

from __future__ import annotations

import re
from typing import Annotated, Any

from omegaconf import MISSING
from pydantic import BeforeValidator, model_validator
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import Name, PositiveFloat, doc

_SECRET = re.compile(r"(^|_)(TOKEN|SECRET|PASSWORD|CREDENTIALS?|(API|ACCESS)_?KEY)(_|$)", re.IGNORECASE)


def _checked(env: Any) -> Any:
    if env is None:
        return {}
    if not isinstance(env, dict) or any(isinstance(value, (dict, list)) or value is None for value in env.values()):
        raise ValueError("must be variables with their values, such as {CUDA_LAUNCH_BLOCKING: 1}")
    return {str(name): str(value) for name, value in env.items()}


Variables = Annotated[Any, BeforeValidator(_checked)]
"""Environment variables. Not typed as a dict, whose keys Hydra would want to know beforehand."""


@dataclass
class EngineConfig:
    """An engine. ``_target_`` is a class with the contract of ``fvhydra.engines.base.Engine``."""

    _target_: str = doc("Dotted path of the engine's class", MISSING)
    name: Name = doc("The word after engine=", MISSING)
    options: dict[str, Any] = doc("Settings that only this engine knows", factory=dict)
    isolate: bool = doc("Run it in a process of its own, with this interpreter", False)
    python: str | None = doc(
        "Interpreter of another environment, in which it runs in a process of its own", None, typed=True
    )
    path: str | None = doc("Checkout that comes first on the path of that process", None, typed=True)
    env: Variables = doc(
        "Environment variables of that process, as {NAME: value}, beside those of this one", None, typed=True
    )
    timeout_s: PositiveFloat | None = doc("Longest time of that process for loading, and for each generation, s", None)
    silence_s: PositiveFloat = doc("Longest time without a sign of life of that process, s", 120.0)

    @model_validator(mode="after")
    def _limits_can_be_kept(self) -> EngineConfig:
        if self.timeout_s is not None and not self.own_process:
            raise ValueError("timeout_s can only end an engine in a process of its own; add engine.isolate=true")
        return self

    @model_validator(mode="after")
    def _variables_hold_no_secret(self) -> EngineConfig:
        self.env = self.env or {}  # a default is not validated
        if secrets := [name for name in self.env if _SECRET.search(name)]:
            raise ValueError(f"env is recorded, so {', '.join(secrets)} must be set for the command itself instead")
        return self

    @property
    def own_process(self) -> bool:
        """Whether the engine runs in a process of its own."""
        return bool(self.isolate or self.python or self.path or self.env)
