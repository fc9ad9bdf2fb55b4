from __future__ import annotations

from pathlib import Path

import pytest

from fvhydra.metrics.assets import HubAssets


@pytest.fixture(scope="session")
def assets(tmp_path_factory: pytest.TempPathFactory) -> HubAssets:
    """Tiny weights for everything, built once and loaded once for all tests of a worker."""
    return HubAssets("cpu", tmp_path_factory.mktemp("metrics"), tiny=True)


@pytest.fixture
def no_features(assets: HubAssets, tmp_path: Path) -> HubAssets:
    """The same weights and networks, with a cache that holds no features yet."""
    return HubAssets("cpu", tmp_path / "cache", tiny=True, networks=assets.networks)
