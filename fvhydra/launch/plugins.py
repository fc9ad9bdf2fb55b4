# SPDX-License-Identifier: Apache-2.0
"""Makes our launcher, our sweeper and what folders add known to Hydra.

There is no ``hydra_plugins`` package of our own at the top of the repository.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.plugin import Plugin
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from fvhydra.core.project import ConfigFolder
from fvhydra.launch import config_sources
from fvhydra.launch.grid import GridSweeper
from fvhydra.launch.sweep import SweepLauncher

_PACKAGE = "hydra_plugins"


def register(folders: Sequence[ConfigFolder] = ()) -> None:
    """Register them, with the folders of choices of this command. May be called any number of times."""
    config_sources.use(folders)
    for plugin in (config_sources.AddedFolder, config_sources.OutsideSchemas):
        Plugins.instance().register(plugin)
    if config_sources.FvhydraSearchPath not in Plugins.instance().discover(SearchPathPlugin):
        Plugins.instance().register(config_sources.FvhydraSearchPath)
    module = _module()
    _register(module, "hydra/launcher", SweepLauncher)
    _register(module, "hydra/sweeper", GridSweeper, max_batch_size=None)
    OmegaConf.register_new_resolver("fvhydra.mode", _mode, replace=True)


def _mode(sweeps: bool) -> str | None:
    """Hydra's mode without ``-m``, as the chosen launcher has it."""
    return "MULTIRUN" if sweeps else None


def _register(module: ModuleType, group: str, plugin: type[Plugin], **settings: Any) -> None:
    alias = type(plugin.__name__, (plugin,), {"__module__": module.__name__})
    setattr(module, plugin.__name__, alias)
    Plugins.instance().register(alias)
    node = {"_target_": f"{module.__name__}.{plugin.__name__}", **settings}
    ConfigStore.instance().store(group=group, name="fvhydra", node=node)


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
