"""Makes the launchers known to Hydra, without a ``hydra_plugins`` package of our own at the top of the repository."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins

from fvhydra.launch.base import SweepLauncher
from fvhydra.launch.local import LocalLauncher
from fvhydra.launch.modal.launcher import ModalLauncher
from fvhydra.launch.pool import PoolLauncher

LAUNCHERS: dict[str, type[SweepLauncher]] = {
    "fvhydra_local": LocalLauncher,
    "fvhydra_modal": ModalLauncher,
    "fvhydra_pool": PoolLauncher,
}
"""Word after ``hydra/launcher=`` (set by ``conf/launcher/*.yaml``) to class."""

_PACKAGE = "hydra_plugins"


def register() -> None:
    """Register every launcher. May be called any number of times."""
    module = _module()
    for word, launcher in LAUNCHERS.items():
        alias = type(launcher.__name__, (launcher,), {"__module__": module.__name__})
        setattr(module, launcher.__name__, alias)
        Plugins.instance().register(alias)
        node = {"_target_": f"{module.__name__}.{launcher.__name__}"}
        ConfigStore.instance().store(group="hydra/launcher", name=word, node=node)


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
