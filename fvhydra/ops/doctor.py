# SPDX-License-Identifier: Apache-2.0
"""``op=doctor``: look at this machine, its tokens, the store and the last run."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

from fvhydra import __version__
from fvhydra.config.load import build_config
from fvhydra.config.problems import ConfigError
from fvhydra.config.schema import SCHEMAS, conf_dir
from fvhydra.core.environment import package_version
from fvhydra.core.errors import FvhydraError, StoreError
from fvhydra.core.extras import EXTRAS, install_line, missing
from fvhydra.core.files import given_path
from fvhydra.core.project import TOML_NAME, YAML_NAME, config_folders, project_settings
from fvhydra.core.result import Criterion, RunResult
from fvhydra.core.token import TOKEN_VARIABLES, find_token
from fvhydra.core.verdict import Verdict
from fvhydra.engines.choice import check_engine, devices_of, engine_environment
from fvhydra.engines.interpreter import interpreter
from fvhydra.ops.base import Op
from fvhydra.ops.context import Context
from fvhydra.ops.doctor_choice import metrics, weights
from fvhydra.ops.doctor_media import codecs, ffmpeg, last_run
from fvhydra.stores.base import Store

_PACKAGES = ("hydra-core", "omegaconf", "huggingface-hub", "av", "numpy")
_LITTLE_SPACE_GB = 5
_MUCH_TO_HASH_MB = 200


class Doctor(Op):
    """Every finding is a line; exit 0 when nothing is wrong, 4 otherwise."""

    writes_run_folder = False
    uses_model = False

    def run(self, context: Context) -> RunResult:
        """Make all checks; a failing one does not keep the others from being made."""
        findings: list[Criterion] = []
        for look in _LOOKS:
            try:
                findings += look(context)
            except Exception as error:  # a doctor must survive every patient
                findings.append(
                    Criterion(look.__name__.strip("_"), False, f"{type(error).__name__}: {error}", "no error")
                )
        sick = [item.name for item in findings if not item.passed]
        width = max(len(item.name) for item in findings)
        notes = [f"{'ok  ' if item.passed else 'BAD '} {item.name:<{width}}  {item.given}" for item in findings]
        return RunResult(
            op=self.config.name,
            verdict=Verdict.INFRASTRUCTURE if sick else Verdict.DONE,
            message=f"Look at: {', '.join(sick)}." if sick else "Everything is in order.",
            notes=notes,
        )


def _versions(context: Context) -> Iterator[Criterion]:
    import platform

    yield Criterion("fvhydra", True, __version__, "any")
    yield Criterion("python", True, platform.python_version(), ">= 3.11")
    for package in _PACKAGES:
        version = package_version(package)
        yield Criterion(package, version is not None, version or "not installed", "installed")
    for extra, modules in EXTRAS.items():
        versions = [f"{name} {package_version(name)}" for name in modules if not missing([name])]
        lacking = missing(modules)
        given = ", ".join(versions) or "not installed"
        if lacking and versions:
            given += f"; not {', '.join(lacking)}"
        if lacking:
            given += f": {install_line(lacking)}"
        yield Criterion(f"extra {extra}", True, given, "any")


def _engine(context: Context) -> Iterator[Criterion]:
    """Whether the engine can do what the command asks of it, where it would run."""
    config = context.config
    try:
        check_engine(config, here=config.launcher.same_environment)
    except FvhydraError as error:
        yield Criterion("engine", False, error.message, "can run")
        return
    facts = engine_environment(config.engine) if config.engine.own_process else {}
    place = f" in Python {facts['python']} of {interpreter(config.engine)}" if facts else ""
    yield Criterion("engine", True, f"{config.engine.name}{place}", "can run")


def _device(context: Context) -> Iterator[Criterion]:
    import re

    gpu, wanted = context.config.gpu, devices_of(context.config)
    if missing(["torch"]):
        yield Criterion("device", wanted == 0, f"not known without torch; gpu={gpu.name}", gpu.pattern)
        return
    import torch

    found = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    fits = wanted == 0 or len([name for name in found if re.search(gpu.pattern, name)]) >= wanted
    listed = ", ".join(found) or "no GPU"
    yield Criterion("device", fits, f"{listed}; gpu={gpu.name} wants {wanted or 'none'}", gpu.pattern)


def _tokens(context: Context) -> Iterator[Criterion]:
    token = find_token()
    needed = context.store.needs_token
    found = (
        f"from {token.source}" if token else f"none: set one of {', '.join(TOKEN_VARIABLES)}, or run `hf auth login`"
    )
    yield Criterion(
        "Hub token", token is not None or not needed, found, f"present for store={context.config.store.name}"
    )


def _store(context: Context) -> Iterator[Criterion]:
    store = context.store
    try:
        store.check_writable()
        yield Criterion("store", True, f"{store.location}, writable, at {store.head()}", "writable")
    except FvhydraError as error:
        yield Criterion("store", False, str(error.message), "writable")
        return
    if store.local_files([""]):  # it is on this machine
        yield _content(store)


def _content(store: Store) -> Criterion:
    """Whether the newest files are what their hashes say; of a large store only the size."""
    entries = store.files()
    megabytes = sum(entry.size for entry in entries.values()) / 1e6
    listed = f"{len(entries)} file(s), {megabytes:.0f} MB"
    if megabytes > _MUCH_TO_HASH_MB:
        return Criterion("store content", True, f"{listed}: too much to check here", "hashes match")
    with TemporaryDirectory() as scratch:
        damaged = []
        for path in entries:
            try:
                store.fetch([path], Path(scratch))[path].unlink()
            except StoreError:
                damaged.append(path)
    given = f"damaged: {', '.join(damaged)}; op=verify says what can be done" if damaged else f"{listed}, hashes match"
    return Criterion("store content", not damaged, given, "hashes match")


def _disk(context: Context) -> Iterator[Criterion]:
    runtime = context.config.runtime
    for name, folder in (("runtime.output_dir", runtime.output_dir), ("runtime.cache_dir", runtime.cache_dir)):
        path = given_path(folder).absolute()
        existing = next(parent for parent in (path, *path.parents) if parent.exists())
        try:
            TemporaryDirectory(dir=existing).cleanup()  # permissions do not tell it all: /proc, quotas, network disks
        except OSError as error:
            yield Criterion(name, False, f"{path} cannot be written: {existing}: {error.strerror}", "writable")
            continue
        free_gb = shutil.disk_usage(existing).free / 1e9
        yield Criterion(f"free disk, {name}", free_gb >= _LITTLE_SPACE_GB, f"{free_gb:.0f} GB at {path}", ">= 5 GB")


def _settings(context: Context) -> Iterator[Criterion]:
    """What was not typed: the project's settings, and the folders of choices beside our own."""
    settings = project_settings()
    if settings.file is None:
        yield Criterion("project", True, f"no {YAML_NAME}, nor [tool.fvhydra] in a {TOML_NAME}, here or above", "any")
    else:
        held = [word for word in settings.overrides if word in context.overrides]
        sweeps = "".join(f" @{name}" for name in settings.sweeps)
        given = f"{settings.file}: {shlex.join(held) or 'no override holds'}{f'; sweeps:{sweeps}' if sweeps else ''}"
        yield Criterion("project", True, given, "any")
    for folder in config_folders(context.command, settings):
        hidden = [
            f"{path.parent.name}={path.stem}"
            for path in sorted(folder.path.glob("*/*.yaml"))
            if (conf_dir() / path.parent.name / path.name).is_file()
        ]
        given = f"ours hide its {', '.join(hidden)}" if hidden else "adds choices"
        yield Criterion(folder.named.partition(" ")[0], not hidden, f"{folder.path}: {given}", "names of its own")


def _groups(context: Context) -> Iterator[Criterion]:
    """Compose every option of every group, and every model in every tier."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    folders = [conf_dir(), *(folder.path for folder in config_folders(context.command, project_settings()))]
    names = sorted({path.name for folder in folders for path in folder.iterdir() if path.is_dir()} - {"sampling"})
    choices = {
        name: sorted({path.stem for folder in folders for path in (folder / name).glob("*.yaml")}) for name in names
    }
    models, tiers = choices.pop("model"), choices.pop("tier")
    # one option of every group at a time; a round that fails is looked at option by option
    rounds = zip_longest(*([f"{group}={name}" for name in names] for group, names in choices.items()))
    trials = [[word for word in words if word] for words in rounds]
    pairs = [(model, tier) for model in models for tier in tiers if _has_sampling(folders, model, tier)]
    trials += [[f"model={model}", f"tier={tier}"] for model, tier in pairs]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        failed = [trial for trial in trials if _trouble(trial)]
        singles = [[word] for trial in failed for word in trial]
        troubles = [trouble for trial in (*singles, *failed) if (trouble := _trouble(trial))]
    count = sum(map(len, choices.values())) + len(pairs)
    yield Criterion("config groups", not troubles, "; ".join(troubles) or f"{count} choices compose", "all compose")


def _has_sampling(folders: list[Path], model: str, tier: str) -> bool:
    """Whether a model has that tier: each of ours must, one from outside may do without."""
    ours = (folders[0] / "model" / f"{model}.yaml").is_file() and (folders[0] / "tier" / f"{tier}.yaml").is_file()
    return ours or any((folder / "sampling" / model / f"{tier}.yaml").is_file() for folder in folders)


def _trouble(trial: list[str]) -> str:
    """The problem of a composition in one sentence; empty when it is fine."""
    from hydra import compose

    try:
        build_config(compose("config", overrides=[*trial, *_needed(trial)]))
    except ConfigError as error:
        return f"{' '.join(trial)}: {error}"
    except Exception as error:
        return f"{' '.join(trial)}: {str(error).splitlines()[0]}"
    return ""


def _needed(trial: list[str]) -> list[str]:
    """Values that are a person's to say, such as which data set a Hub store is in."""
    chosen = [word.partition("=") for word in trial]
    schemas = {group: SCHEMAS.get(f"schema/{group}", {}).get(name) for group, _, name in chosen}
    return [
        f"{group}.{field.name}={example}"
        for group, schema in schemas.items()
        for field in (dataclasses.fields(schema) if schema else ())
        if (example := field.metadata.get("example"))
    ]


_LOOKS: tuple[Callable[[Context], Iterator[Criterion]], ...] = (
    *(_versions, _engine, _device, metrics, weights, codecs, ffmpeg),
    *(_tokens, _store, _disk, _settings, _groups, last_run),
)
