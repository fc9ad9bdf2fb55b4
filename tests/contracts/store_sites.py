"""The kinds of store that the contract is tested with. A new kind adds a class here and its name to ``SITES``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from hydra.utils import get_class

from fvhydra.config.store import LocalStoreConfig, StoreConfig
from fvhydra.stores.base import Entry, Store


def open_store(config: StoreConfig) -> Store:
    """A handle of its own, as another process or person has one."""
    store: Store = get_class(config._target_)(config)
    return store


class Site(Protocol):
    """A place with one store that was never written, and what a test must be able to do to it behind its back."""

    config: StoreConfig

    def damage(self, entry: Entry) -> None:
        """Flip a bit of what is kept for ``entry``."""

    def denied(self) -> StoreConfig:
        """A store that this process may not write."""


class LocalSite:
    """A folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self.config = _local(folder / "store")

    def damage(self, entry: Entry) -> None:
        sha256 = entry.digest.removeprefix("sha256:")
        path = self._folder / "store" / "objects" / sha256[:2] / sha256
        data = bytearray(path.read_bytes())
        data[0] ^= 1
        path.chmod(0o644)
        path.write_bytes(data)

    def denied(self) -> StoreConfig:
        # permission bits do not stop root, but nobody can make a folder inside a file
        (self._folder / "file").write_text("")
        return _local(self._folder / "file" / "store")


def _local(path: Path) -> LocalStoreConfig:
    return LocalStoreConfig(_target_="fvhydra.stores.local.LocalStore", name="local", path=str(path))


SITES: dict[str, Callable[[Path], Site]] = {"local": LocalSite}
