# SPDX-License-Identifier: Apache-2.0
"""The sweeper: every combination of the values that were given, as Hydra's basic sweeper makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from fvhydra.config.schema import counted


class GridSweeper(Sweeper):
    """Hydra's basic sweeper without what launchers here do better themselves.

    Hydra's composes every job once more only to see whether it can, and writes into the sweep's folder before anybody
    knows whether there will be a sweep.
    """

    hydra_context: HydraContext
    launcher: Launcher

    def __init__(self, max_batch_size: int | None = None) -> None:
        self.max_batch_size = max_batch_size

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra."""
        self.hydra_context = hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Called by Hydra with the overrides of the command line."""
        from hydra._internal.core_plugins.basic_sweeper import BasicSweeper  # Hydra loads it anew when it starts

        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides = parser.parse_overrides(arguments)
        overrides += parser.parse_overrides(numbers_of_parts(overrides))
        returns, first = [], 0
        for batch in BasicSweeper.split_arguments(overrides, self.max_batch_size):
            returns.append(self.launcher.launch(batch, initial_job_idx=first))
            first += len(batch)
        return returns


def numbers_of_parts(overrides: Sequence[Override]) -> list[str]:
    """Overrides that tell each job how many parts there are, where all of them are swept over: 0, 1, 2, ...

    Example: ``op.shards=8`` for ``op.shard=range(0,8)``.
    """
    given = {override.key_or_group: override for override in overrides}
    found = []
    for number, part in counted().items():
        swept = given.get(part)
        if number in given or swept is None or not swept.is_sweep_override():
            continue
        values = sorted(swept.sweep_string_iterator(), key=str)
        if values == sorted(map(str, range(len(values)))):
            found.append(f"{number}={len(values)}")
    return found
