# SPDX-License-Identifier: Apache-2.0
"""``engine=``: what runs the model."""

from __future__ import annotations

import re
from typing import Any

from omegaconf import MISSING
from pydantic import model_validator
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import Name, PositiveFloat, doc

_SECRET = re.compile(r"(^|_)(TOKEN|SECRET|PASSWORD|CREDENTIALS?|(API|ACCESS)_?KEY)(_|$)", re.IGNORECASE)


@dataclass
class EngineConfig:
    """An engine. ``_target_`` is a class with the contract of ``fvhydra.engines.base.Engine``."""

    _target_: str = doc("Dotted path of the engine's class", MISSING)
    name: Name = doc("The word after engine=", MISSING)
    options: dict[str, Any] = doc("Settings that only this engine knows", factory=dict)
    isolate: bool = doc("Run it in a process of its own, with this interpreter", False)
    python: str | None = doc("Interpreter of another environment, in which it runs in a process of its own", None)
    path: str | None = doc("Checkout that comes first on the path of that process", None)
    env: dict[str, str] = doc("Environment variables of that process, beside those of this one; recorded", factory=dict)
    timeout_s: PositiveFloat | None = doc("Longest time of that process for loading, and for each generation, s", None)
    silence_s: PositiveFloat = doc("Longest time without a sign of life of that process, s", 120.0)

    @model_validator(mode="after")
    def _limits_can_be_kept(self) -> EngineConfig:
        if self.timeout_s is not None and not self.own_process:
            raise ValueError("timeout_s can only end an engine in a process of its own; add engine.isolate=true")
        return self

    @model_validator(mode="after")
    def _holds_no_secret(self) -> EngineConfig:
        if secrets := [name for name in self.env if _SECRET.search(name)]:
            raise ValueError(f"env is recorded, so {', '.join(secrets)} must be set for the command itself instead")
        return self

    @property
    def own_process(self) -> bool:
        """Whether the engine runs in a process of its own."""
        return bool(self.isolate or self.python or self.path or self.env)
