# SPDX-License-Identifier: Apache-2.0
"""Makes the launchers and the sweeper known to Hydra.

There is no ``hydra_plugins`` package of our own at the top of the repository.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.plugin import Plugin

from fvhydra.launch.base import SweepLauncher
from fvhydra.launch.grid import GridSweeper
from fvhydra.launch.local import LocalLauncher
from fvhydra.launch.modal.launcher import ModalLauncher
from fvhydra.launch.pool import PoolLauncher
from fvhydra.launch.slurm.launcher import SlurmLauncher

LAUNCHERS: dict[str, type[SweepLauncher]] = {
    "fvhydra_local": LocalLauncher,
    "fvhydra_modal": ModalLauncher,
    "fvhydra_pool": PoolLauncher,
    "fvhydra_slurm": SlurmLauncher,
}
"""Word after ``hydra/launcher=`` (set by ``conf/launcher/*.yaml``) to class."""

_PACKAGE = "hydra_plugins"


def register() -> None:
    """Register every launcher and the sweeper. May be called any number of times."""
    module = _module()
    for word, launcher in LAUNCHERS.items():
        _register(module, "hydra/launcher", word, launcher)
    _register(module, "hydra/sweeper", "fvhydra", GridSweeper, max_batch_size=None)


def _register(module: ModuleType, group: str, word: str, plugin: type[Plugin], **settings: Any) -> None:
    alias = type(plugin.__name__, (plugin,), {"__module__": module.__name__})
    setattr(module, plugin.__name__, alias)
    Plugins.instance().register(alias)
    node = {"_target_": f"{module.__name__}.{plugin.__name__}", **settings}
    ConfigStore.instance().store(group=group, name=word, node=node)


def _module() -> ModuleType:
    """``hydra_plugins.fvhydra``: Hydra instantiates plugins only by names below ``hydra_plugins``, and locates them."""
    try:
        package = importlib.import_module(_PACKAGE)  # a namespace package, when other plugins are installed
    except ImportError:
        package = sys.modules.setdefault(_PACKAGE, ModuleType(_PACKAGE))
        package.__path__ = []
    module = ModuleType(f"{_PACKAGE}.fvhydra")
    sys.modules[module.__name__] = module
    package.fvhydra = module  # type: ignore[attr-defined]
    return module
