"""``op=``: the operation, and its own options."""

from __future__ import annotations

from typing import Any

from omegaconf import MISSING
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import Words, doc


@dataclass
class OpConfig:
    """An operation. ``_target_`` is a class with the contract of ``fvhydra.ops.base.Op``."""

    _target_: str = doc("Dotted path of the op's class", MISSING)
    name: str = doc("The word after op=", MISSING)
    options: dict[str, Any] = doc("Settings of an op from outside this package", factory=dict)


@dataclass
class SeedSsimConfig(OpConfig):
    """Make references that do not exist yet."""

    confirm: Words = doc("The word upload applies the change at once; anything else leaves it prepared", None)
    accept: Words = doc("Failed review criteria to publish all the same, by name", None)
    reason: str = doc("Why, for the store's history", "first references")


@dataclass
class CheckSsimConfig(OpConfig):
    """Regenerate and compare with the references."""

    fail_fast: bool = doc("Stop at the first case that is not a pass", False)


@dataclass
class GenerateConfig(OpConfig):
    """Only generate, into a run folder."""


@dataclass
class PublishConfig(OpConfig):
    """Apply the change that an earlier run prepared."""

    confirm: Words = doc("The word upload applies the change", None)
    accept: Words = doc("Failed review criteria to publish all the same, by name", None)


@dataclass
class DoctorConfig(OpConfig):
    """Look at this machine, its tokens and the store."""
