# SPDX-License-Identifier: Apache-2.0
"""Places for the kinds of store that the contract is tested with."""

from __future__ import annotations

import functools
import itertools
import threading
from pathlib import Path
from typing import Any
from unittest import mock

from hydra.utils import get_class

from fvhydra.config.store import HubStoreConfig, LocalStoreConfig, StoreConfig
from fvhydra.core.token import Token
from fvhydra.stores.base import Entry, Store
from fvhydra.stores.hub import repository
from fvhydra.testing.store_writers import preload
from tests.servers.hub import ALICE, HubServer

preload(__name__, "fvhydra.stores.local", "fvhydra.stores.commit_request")

_opening = threading.Lock()


def open_store(config: StoreConfig, token: str | None = ALICE) -> Store:
    """A handle of its own, as another process or person has one; ``token`` is what they have for the Hub."""
    found = None if token is None else Token(token, "HF_TOKEN")
    # not by the environment: to change it is calls to the system, and tests kill before each of them
    with _opening, mock.patch.object(repository, "find_token", return_value=found):
        store: Store = get_class(config._target_)(config)
    return store


class LocalSite:
    """A folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self.config = _local(folder / "store")

    def open(self) -> Store:
        return open_store(self.config)

    def damage(self, entry: Entry) -> None:
        sha256 = entry.digest.removeprefix("sha256:")
        path = self._folder / "store" / "objects" / sha256[:2] / sha256
        data = bytearray(path.read_bytes())
        data[0] ^= 1
        path.chmod(0o644)
        path.write_bytes(data)

    def denied(self) -> Store:
        # permission bits do not stop root, but nobody can make a folder inside a file
        (self._folder / "file").write_text("")
        return open_store(_local(self._folder / "file" / "store"))


def _local(path: Path) -> LocalStoreConfig:
    return LocalStoreConfig(_target_="fvhydra.stores.local.LocalStore", name="local", path=str(path))


class HubSite:
    """A data set of its own on one server, which all tests of a process share."""

    _numbers = itertools.count()

    def __init__(self, folder: Path) -> None:
        self._name = f"alice/refs-{next(self._numbers)}"
        self._cache = folder / "hub"
        shared_hub().create(self._name)
        self.config = hub_config(shared_hub(), self._name, self._cache)

    def open(self) -> Store:
        return open_store(self.config)

    def damage(self, entry: Entry) -> None:
        kind, _, name = entry.digest.partition(":")
        kept = shared_hub().lfs if kind == "sha256" else shared_hub().repos[self._name].objects
        kept[name] = bytes([kept[name][0] ^ 1]) + kept[name][1:]

    def denied(self) -> Store:
        shared_hub().create("bob/refs", private=False)
        return open_store(hub_config(shared_hub(), "bob/refs", self._cache))


def hub_config(hub: HubServer, repo_id: str, cache: Path, **settings: Any) -> HubStoreConfig:
    """A store in a data set of a test's server."""
    defaults = {"endpoint": hub.url, "cache_dir": str(cache), "xet": "off"}
    target = "fvhydra.stores.hub.HubStore"
    return HubStoreConfig(_target_=target, name="hub", repo_id=repo_id, **defaults | settings)


@functools.cache
def shared_hub() -> HubServer:
    """A server that lives as long as the process."""
    return HubServer()
