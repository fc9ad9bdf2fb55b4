# SPDX-License-Identifier: Apache-2.0
"""From the configuration of a store to the store."""

from __future__ import annotations

from fvhydra.config.store import StoreConfig
from fvhydra.core.loading import load_class
from fvhydra.stores.base import Store


def open_store(config: StoreConfig) -> Store:
    """The store that ``store=`` chose; its module is imported now.

    Raises:
        UsageError: There is no such class, or it is no store.
    """
    store: Store = load_class(config._target_, "store", Store)(config)
    return store
