# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fvhydra.metrics.assets import HubAssets


@pytest.fixture(scope="session")
def assets(tmp_path_factory: pytest.TempPathFactory) -> HubAssets:
    """Tiny weights for everything, built once and loaded once for all tests of a worker."""
    torch.set_num_threads(1)  # as in an evaluation: more of them only wait for each other on pictures this small
    return HubAssets("cpu", tmp_path_factory.mktemp("metrics"), tiny=True)


@pytest.fixture
def no_features(assets: HubAssets, tmp_path: Path) -> HubAssets:
    """The same weights and networks, with a cache that holds no features yet."""
    return HubAssets("cpu", tmp_path / "cache", tiny=True, networks=assets.networks)
