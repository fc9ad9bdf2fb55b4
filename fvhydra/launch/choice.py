# SPDX-License-Identifier: Apache-2.0
"""From the configuration of a launcher to the launcher."""

from __future__ import annotations

from pathlib import Path

from fvhydra.config.launcher import LauncherConfig
from fvhydra.core import extras
from fvhydra.core.loading import load_class
from fvhydra.core.machine import require_process_groups
from fvhydra.launch.base import Launcher, SweepObserver


def launcher_class(settings: LauncherConfig) -> type[Launcher]:
    """The class that ``launcher._target_`` names; its module is imported now.

    Raises:
        UsageError: There is no such class, or it is no launcher.
    """
    found: type[Launcher] = load_class(settings._target_, "launcher._target_", Launcher)
    return found


def open_launcher(settings: LauncherConfig, sweep_folder: Path, observer: SweepObserver) -> Launcher:
    """The launcher that ``launcher=`` chose, for the jobs of one sweep.

    Raises:
        UsageError: There is no such class, it is no launcher, or what it imports is not installed.
    """
    found = launcher_class(settings)
    if not found.windows:
        require_process_groups(f"launcher={settings.name}", "launcher=local works there, or use WSL.")
    extras.require(f"launcher={settings.name}", found.packages)
    return found(settings, sweep_folder, observer)
