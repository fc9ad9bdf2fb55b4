# SPDX-License-Identifier: Apache-2.0
"""The launchers of this package keep the contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fvhydra.testing.launchers import LauncherContract, LauncherSite
from tests.servers.modal import ModalServer
from tests.servers.slurm import Cluster


class TestLocal(LauncherContract):
    choice = "local"
    in_this_process = True


class TestPool(LauncherContract):
    choice = "pool"


@pytest.mark.slurm
class TestSlurm(LauncherContract):
    choice = "slurm"

    @pytest.fixture(scope="class")
    @classmethod
    def site(cls, tmp_path_factory: pytest.TempPathFactory, cache_dir: Path, slurm: Cluster) -> LauncherSite:
        return LauncherSite("slurm", tmp_path_factory.mktemp("login"), cache_dir, ("launcher.poll_s=0.2",))


@pytest.mark.slow
class TestModal(LauncherContract):
    choice = "modal"

    @pytest.fixture(scope="class")
    @classmethod
    def site(cls, tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[LauncherSite]:
        with ModalServer(tmp_path_factory.mktemp("modal")) as modal:
            words = ("launcher.image.sources=[contrary]",)
            yield LauncherSite("modal", tmp_path_factory.mktemp("home"), cache_dir, words, modal.environment)
