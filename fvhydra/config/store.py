"""``store=``: where references live."""

from __future__ import annotations

from typing import Any

from omegaconf import MISSING
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import doc


@dataclass
class StoreConfig:
    """A store. ``_target_`` is a class with the contract of ``fvhydra.stores.base.Store``."""

    _target_: str = doc("Dotted path of the store's class", MISSING)
    name: str = doc("The word after store=", MISSING)
    options: dict[str, Any] = doc("Settings that only this store knows", factory=dict)


@dataclass
class LocalStoreConfig(StoreConfig):
    """A store in a folder of this machine."""

    path: str = doc("Folder of the store, made when first written", MISSING)
