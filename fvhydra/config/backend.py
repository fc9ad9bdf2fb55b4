# SPDX-License-Identifier: Apache-2.0
"""``backend=``: the attention backend inside the engine."""

from __future__ import annotations

from omegaconf import MISSING
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import Name, doc


@dataclass
class BackendConfig:
    """An attention backend, with its name in each engine's own words."""

    name: Name = doc("The word after backend=", MISSING)
    folder: Name = doc("Folder of the backend in reference paths; also FastVideo's name for it", MISSING)
    diffusers: str | None = doc("Name in diffusers' set_attention_backend; null: not there", None)
    packages: list[str] = doc("Top-level modules that it is made of, beside the engine's own", factory=list, typed=True)
    asked: bool = doc("Whether an engine is told to use it; false: it takes what it takes", True)
    cpu: bool = doc("Whether it runs without a GPU", True)
