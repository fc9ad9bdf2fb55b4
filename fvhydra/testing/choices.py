# SPDX-License-Identifier: Apache-2.0
"""The configuration of a choice, as the command line would compose it."""

from __future__ import annotations

from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from fvhydra.config.load import build_config
from fvhydra.config.root import Config
from fvhydra.config.schema import conf_dir, register
from fvhydra.core.project import ConfigFolder
from fvhydra.core.trusted_words import trust_config_dirs
from fvhydra.launch import plugins


def chosen(group: str, choice: str, config_dir: Path | None = None, *overrides: str) -> Config:
    """What ``<group>=<choice>`` composes to, validated; ``config_dir`` is a folder like ``conf/`` that is added.

    Raises:
        ConfigError, HydraException: There is no such choice, or its file is wrong.
    """
    folders = [] if config_dir is None else [ConfigFolder(config_dir, "command")]
    register()
    plugins.register(folders)
    trust_config_dirs(folder.path for folder in folders)
    OmegaConf.register_new_resolver("fvhydra.sweep_dir", lambda *_: "unused", replace=True)
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return build_config(compose("config", overrides=[f"{group}={choice}", *overrides]))
