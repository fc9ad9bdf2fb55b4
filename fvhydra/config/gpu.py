# SPDX-License-Identifier: Apache-2.0
"""``gpu=``: the SKU that a result belongs to."""

from __future__ import annotations

from typing import Annotated

from omegaconf import MISSING
from pydantic import Field
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import Name, NonNegative, doc


@dataclass
class GpuConfig:
    """A GPU type. References belong to one SKU: pixels and bf16 latents drift across them."""

    name: Name = doc("The word after gpu=", MISSING)
    folder: Name = doc("Name in reference paths: <folder>_reference_videos", MISSING)
    pattern: str = doc("Regular expression that the device's own name must match", MISSING)
    count: Annotated[NonNegative, Field(le=1_024)] = doc("Devices a case needs; 0 for the CPU", MISSING)
    slurm: str | None = doc("Name in Slurm's gres, as in gpu:<slurm>:<count>", None)
    modal: str | None = doc("Name in Modal's gpu=", None)

    @property
    def device(self) -> str:
        """The torch device type: ``cpu`` or ``cuda``."""
        return "cuda" if self.count else "cpu"
