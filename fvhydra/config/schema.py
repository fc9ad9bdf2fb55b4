# SPDX-License-Identifier: Apache-2.0
"""Registers the dataclasses with Hydra, under ``schema/``, where the YAML files of ``conf/`` name them.

A group whose choices all have the same fields needs no entry: the field of :class:`Config` types it. Choices that have
fields of their own begin their files with ``/schema/op@_here_: <name>``; one from outside names its dataclass there,
which is derived from the one that is called as its group.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore

from fvhydra.config import engine, launcher, op, prompts, store
from fvhydra.config.root import Config

SCHEMAS: dict[str, dict[str, Any]] = {
    "schema": {"root": Config},
    "schema/op": {
        "op": op.OpConfig,
        "seed_ssim": op.SeedSsimConfig,
        "check_ssim": op.CheckSsimConfig,
        "check_perf": op.CheckPerfConfig,
        "generate": op.GenerateConfig,
        "smoke": op.SmokeConfig,
        "parity": op.ParityConfig,
        "scaffold": op.ScaffoldConfig,
        "presets": op.PresetsConfig,
        "port_status": op.PortStatusConfig,
        "run_job": op.RunJobConfig,
        "reseed_ssim": op.ReseedSsimConfig,
        "seed_perf": op.SeedPerfConfig,
        "reseed_perf": op.ReseedPerfConfig,
        "supersede_perf": op.SupersedePerfConfig,
        "perf_history": op.PerfHistoryConfig,
        "restore": op.RestoreConfig,
        "promote": op.PromoteConfig,
        "log": op.LogConfig,
        "publish": op.PublishConfig,
        "attach": op.AttachConfig,
        "bundle": op.BundleConfig,
        "bench": op.BenchConfig,
        "bisect": op.BisectConfig,
        "prefetch": op.PrefetchConfig,
        "doctor": op.DoctorConfig,
        "verify": op.VerifyConfig,
        "watch": op.WatchConfig,
        "eval": op.EvalConfig,
        "eval_compare": op.EvalCompareConfig,
        "metrics": op.MetricsOpConfig,
    },
    "schema/engine": {"engine": engine.EngineConfig},
    "schema/prompts": {"prompts": prompts.PromptsConfig, "suite": prompts.SuiteConfig},
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


def groups() -> frozenset[str]:
    """The keys at the top that are groups: what is chosen there has keys of its own."""
    types = typing.get_type_hints(Config)
    return frozenset(field.name for field in dataclasses.fields(Config) if dataclasses.is_dataclass(types[field.name]))


@functools.cache
def typed_only() -> frozenset[str]:
    """Keys that only a person may set, of every choice of ours, dotted."""
    return frozenset(key for key, field in _every_field() if field.metadata.get("typed"))


@functools.cache
def environment_of() -> dict[str, str]:
    """Keys that ``conf/`` reads from the environment, dotted, with the variable."""
    return {key: field.metadata["variable"] for key, field in _every_field() if field.metadata.get("variable")}


@functools.cache
def counted() -> dict[str, str]:
    """Keys that say how many parts there are, dotted, with the key of the parts."""
    return {key: field.metadata["counts"] for key, field in _every_field() if field.metadata.get("counts")}


@functools.cache
def typed_words(op: str) -> dict[str, str]:
    """What is typed instead of a key, to that key, in a command with ``op=<op>``."""
    own = SCHEMAS["schema/op"].get(op)
    fields = [(field.name, field) for field in dataclasses.fields(Config)]
    fields += [(f"op.{field.name}", field) for field in dataclasses.fields(own)] if own else []
    return {field.metadata["word"]: key for key, field in fields if field.metadata.get("word")}


def _every_field() -> Iterator[tuple[str, dataclasses.Field[Any]]]:
    types = typing.get_type_hints(Config)
    for field in dataclasses.fields(Config):
        yield field.name, field
        if field.name in groups():
            for schema in (types[field.name], *SCHEMAS.get(f"schema/{field.name}", {}).values()):
                yield from _fields_of(field.name, schema)


def _fields_of(prefix: str, schema: type) -> Iterator[tuple[str, dataclasses.Field[Any]]]:
    types = typing.get_type_hints(schema)
    for field in dataclasses.fields(schema):
        yield f"{prefix}.{field.name}", field
        if dataclasses.is_dataclass(types[field.name]):
            yield from _fields_of(f"{prefix}.{field.name}", types[field.name])


def config_dirs(words: Sequence[str]) -> list[str]:
    """The folders of YAML files that a command line adds with ``--config-dir`` or ``-cd``."""
    found = []
    for position, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag in ("--config-dir", "-cd"):
            found.append(value if equals else "".join(words[position + 1 : position + 2]))
    return found


def conf_dir() -> Path:
    """The folder of the YAML files: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"
