# SPDX-License-Identifier: Apache-2.0
"""``engine=``: what runs the model."""

from __future__ import annotations

from typing import Any

from omegaconf import MISSING
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import Name, doc


@dataclass
class EngineConfig:
    """An engine. ``_target_`` is a class with the contract of ``fvhydra.engines.base.Engine``."""

    _target_: str = doc("Dotted path of the engine's class", MISSING)
    name: Name = doc("The word after engine=", MISSING)
    options: dict[str, Any] = doc("Settings that only this engine knows", factory=dict)
