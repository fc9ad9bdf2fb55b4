# SPDX-License-Identifier: Apache-2.0
"""Jobs as the command line would make them, without one."""

from __future__ import annotations

import functools
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from fvhydra.config.load import build_config
from fvhydra.config.root import Config
from fvhydra.config.schema import conf_dir, register
from fvhydra.core.run import RunFolder
from fvhydra.launch import plugins
from fvhydra.launch.job import Job


def know_everything() -> None:
    """Tell Hydra of schema, launchers and sweeper, as the command line does first."""
    register()
    plugins.register()
    OmegaConf.register_new_resolver("fvhydra.sweep_dir", lambda *_: "unused", replace=True)


@functools.cache
def composed(*words: str) -> Config:
    """The validated configuration of a command line."""
    know_everything()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return build_config(compose("config", overrides=list(words)))


def job(folder: Path, *words: str, number: int = 3) -> Job:
    """One job of a sweep."""
    return Job(number, "seed=1", composed(*words), RunFolder(folder), ["fvhydra", "-m"], list(words))
