# SPDX-License-Identifier: Apache-2.0
"""From the configuration of a store to the store."""

from __future__ import annotations

from fvhydra.config.store import HubStoreConfig, StoreConfig
from fvhydra.core.loading import load_class
from fvhydra.core.trust import refuse_endpoint
from fvhydra.stores.base import Store


def open_store(config: StoreConfig) -> Store:
    """The store that ``store=`` chose; its module is imported now.

    Raises:
        UsageError: There is no such class, it is no store, or it is at an address that only a file names.
    """
    if isinstance(config, HubStoreConfig) and config.endpoint is not None:
        refuse_endpoint(config.endpoint)
    store: Store = load_class(config._target_, "store._target_", Store)(config)
    return store
