# SPDX-License-Identifier: Apache-2.0
"""Registers the dataclasses with Hydra, under ``schema/``, where the YAML files of ``conf/`` name them.

A group whose choices all have the same fields needs no entry: the field of :class:`Config` types it. ``op``,
``store`` and ``launcher`` choices have fields of their own, so their files begin with ``/schema/op@_here_: <name>``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore

from fvhydra.config import launcher, op, prompts, store
from fvhydra.config.root import Config

SCHEMAS: dict[str, dict[str, Any]] = {
    "schema": {"root": Config},
    "schema/op": {
        "op": op.OpConfig,
        "seed_ssim": op.SeedSsimConfig,
        "check_ssim": op.CheckSsimConfig,
        "generate": op.GenerateConfig,
        "reseed_ssim": op.ReseedSsimConfig,
        "restore": op.RestoreConfig,
        "promote": op.PromoteConfig,
        "log": op.LogConfig,
        "publish": op.PublishConfig,
        "attach": op.AttachConfig,
        "doctor": op.DoctorConfig,
        "verify": op.VerifyConfig,
        "eval": op.EvalConfig,
        "eval_compare": op.EvalCompareConfig,
        "metrics": op.MetricsOpConfig,
    },
    "schema/prompts": {"suite": prompts.SuiteConfig},
    "schema/launcher": {
        "launcher": launcher.LauncherConfig,
        "modal": launcher.ModalLauncherConfig,
        "pool": launcher.PoolLauncherConfig,
        "slurm": launcher.SlurmLauncherConfig,
    },
    "schema/store": {"store": store.StoreConfig, "local": store.LocalStoreConfig, "hub": store.HubStoreConfig},
}


def register() -> None:
    """Make the schema known to Hydra. May be called any number of times."""
    config_store = ConfigStore.instance()
    for group, nodes in SCHEMAS.items():
        for name, node in nodes.items():
            if group == "schema":
                config_store.store(group=group, name=name, node=node, package="_global_")
            else:
                config_store.store(group=group, name=name, node=node)


def config_dirs(words: Sequence[str]) -> list[str]:
    """The folders of YAML files that a command line adds with ``--config-dir`` or ``-cd``."""
    found = []
    for position, word in enumerate(words):
        if word in ("--config-dir", "-cd") and position + 1 < len(words):
            found.append(words[position + 1])
        elif word.startswith("--config-dir="):
            found.append(word.partition("=")[2])
    return found


def conf_dir() -> Path:
    """The folder of the YAML files: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"
