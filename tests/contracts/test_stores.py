# SPDX-License-Identifier: Apache-2.0
"""The stores of this package keep the contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fvhydra.testing.store_kills import StoreEndurance
from fvhydra.testing.store_sites import StoreFixtures, StoreSite
from fvhydra.testing.stores import StoreContract
from tests.contracts.store_sites import HubSite, LocalSite


class Local(StoreFixtures):
    choice = "local"

    @pytest.fixture
    def make_site(self) -> Callable[[Path], StoreSite]:
        return LocalSite


class Hub(StoreFixtures):
    choice = "hub"

    @pytest.fixture
    def make_site(self) -> Callable[[Path], StoreSite]:
        return HubSite


class TestLocal(Local, StoreContract): ...


class TestHub(Hub, StoreContract): ...


@pytest.mark.slow
class TestLocalIsKilled(Local, StoreEndurance): ...


@pytest.mark.slow
class TestHubIsKilled(Hub, StoreEndurance): ...
