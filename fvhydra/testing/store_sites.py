# SPDX-License-Identifier: Apache-2.0
"""A place with a store that was never written, and how its contents are read."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Protocol

import pytest

from fvhydra.stores.base import Entry, Store


class StoreSite(Protocol):
    """A place with one store that was never written, and what a test must be able to do to it behind its back.

    It is given to other processes, so it must be possible to pickle it.
    """

    def open(self) -> Store:
        """A handle of its own, as another process or person has one."""

    def damage(self, entry: Entry) -> None:
        """Flip a bit of what is kept for ``entry``."""

    def denied(self) -> Store:
        """A store that this process may not write."""


class StoreFixtures:
    """What the tests of a store are given."""

    choice: ClassVar[str]
    """The word after ``store=``."""

    @pytest.fixture
    def make_site(self) -> Callable[[Path], StoreSite]:
        """Makes a place, in a folder of its own, for a store that was never written."""
        raise NotImplementedError

    @pytest.fixture
    def site(self, make_site: Callable[[Path], StoreSite], tmp_path: Path) -> StoreSite:
        """A place for a store."""
        return make_site(tmp_path)

    @pytest.fixture
    def make_store(self, site: StoreSite) -> Callable[[], Store]:
        """Handles of one store; each is what another process would have."""
        return site.open

    @pytest.fixture
    def store(self, make_store: Callable[[], Store]) -> Store:
        """One handle."""
        return make_store()


def contents(store: Store, folder: Path, prefix: str = "", revision: str | None = None) -> dict[str, bytes]:
    """Everything, read the way that users read it."""
    fetched = store.fetch(store.files(prefix, revision), folder / f"read-{time.monotonic_ns()}", revision)
    return {path: file.read_bytes() for path, file in fetched.items()}


def messages(store: Store, prefix: str = "") -> list[str]:
    """Those of the commits that touched something below ``prefix``, newest first."""
    return [entry.message for entry in store.log(prefix)]
