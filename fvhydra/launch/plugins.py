"""Makes the launchers known to Hydra, without a ``hydra_plugins`` package of our own at the top of the repository."""

from __future__ import annotations

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins

from fvhydra.launch.base import SweepLauncher
from fvhydra.launch.local import LocalLauncher

LAUNCHERS: dict[str, type[SweepLauncher]] = {"fvhydra_local": LocalLauncher}
"""Word after ``hydra/launcher=`` (set by ``conf/launcher/*.yaml``) to class."""

_MODULE = "hydra_plugins.fvhydra"


def register() -> None:
    """Register every launcher. May be called any number of times."""
    for word, launcher in LAUNCHERS.items():
        # Hydra accepts registered classes only under this module name; the module itself is never imported
        alias = type(launcher.__name__, (launcher,), {"__module__": _MODULE})
        Plugins.instance().register(alias)
        node = {"_target_": f"{_MODULE}.{launcher.__name__}"}
        ConfigStore.instance().store(group="hydra/launcher", name=word, node=node)
