# SPDX-License-Identifier: Apache-2.0
"""A job as a file: ``job.json`` says everything that a worker needs, wherever it runs.

The configuration is composed and validated once, on the machine of the person. What travels are its values, resolved,
with the names of the dataclasses that they belong to, so the worker builds the same objects and composes nothing.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import typing
from pathlib import Path
from typing import Any, NotRequired

import pydantic
from typing_extensions import TypedDict

from fvhydra.config.problems import first_problem
from fvhydra.config.root import Config
from fvhydra.config.runtime import USUAL_CACHE
from fvhydra.config.schema import environment_of, typed_only
from fvhydra.core import files, untrusted
from fvhydra.core.environment import environment
from fvhydra.core.errors import UsageError
from fvhydra.core.loading import load_class
from fvhydra.core.project import Added
from fvhydra.core.run import RunFolder, refuse_links
from fvhydra.core.trust import SETTINGS_VARIABLE, is_trusted_setting, trust_settings
from fvhydra.launch.job import Job

SCHEMA_VERSION = 1


class JobRecord(TypedDict):
    """What ``job.json`` holds."""

    schema_version: int
    number: int
    title: str
    fingerprint: str
    command: list[str]
    overrides: list[str]
    added: NotRequired[Added]
    folder: str
    environment: dict[str, str]
    types: dict[str, str]
    config: dict[str, Any]


def write_job(job: Job) -> Path:
    """Write ``job.json`` into the job's folder. No secret is in it: tokens are never part of a configuration.

    Raises:
        UsageError: The folder cannot be written.
    """
    record = {
        "schema_version": SCHEMA_VERSION,
        "number": job.number,
        "title": job.title,
        "fingerprint": job.fingerprint,
        "command": job.command,
        "overrides": job.overrides,
        "added": job.added,
        "folder": Path.cwd(),  # where relative paths of the configuration begin
        "environment": _here(),
        "types": _types(job.config),
        "config": job.config,
    }
    path = job.folder.path / "job.json"
    files.write_json(path, record)
    vouch_for(job.config)
    return path


def vouch_for(config: Config) -> None:
    """Trust what of a configuration only a person gives, which this command was given: its workers may do it."""
    trust_settings(_settings(config))


def refuse_settings(config: Config, where: Path) -> None:
    """Refuse a shipped job that would run a program, or write, where neither this command nor its environment says.

    Raises:
        UsageError: Names the setting.
    """
    for name, (key, value) in _settings(config).items():
        if not is_trusted_setting(name) and value != os.environ.get(environment_of().get(key, "")):
            raise UsageError(
                f"{where} sets {key}={value}, which only a command line or its environment may: it is a file.",
                f"Start it from its own command, or, if you trust it, with {SETTINGS_VARIABLE}={name}",
            )


def _settings(config: Config) -> dict[str, tuple[str, Any]]:
    """Settings of a job that only a person gives, and that are not the usual ones, by ``key:digest``."""
    found = {}
    for key in typed_only():
        group, _, name = key.partition(".")
        value = getattr(getattr(config, group), name, None) if group in ("engine", "runtime") else None
        if value and value != USUAL_CACHE:
            found[f"{key}:{files.sha256_bytes(files.canonical_json(value).encode())[:16]}"] = key, value
    return found


def read_job(folder: Path) -> Job:
    """The inverse of :func:`write_job`: the same job, in the same or in another process or machine.

    Raises:
        UsageError: ``job.json`` is missing, damaged, or of another version.
    """
    record = read_record(folder)
    try:
        return Job(
            number=record["number"],
            title=record["title"],
            config=_config(record["config"], record["types"]),
            folder=RunFolder(folder),
            command=record["command"],
            overrides=record["overrides"],
            added=record.get("added", Added()),
        )
    except pydantic.ValidationError as error:
        raise _damaged(folder, first_problem(error)) from error
    except (AttributeError, KeyError, TypeError) as error:
        raise _damaged(folder, f"{type(error).__name__}: {error}") from error


def read_record(folder: Path) -> dict[str, Any]:
    """The record of :func:`write_job` as it is on disk.

    Raises:
        UsageError: It is missing, damaged, or of another version.
    """
    refuse_links(folder)
    record = untrusted.read_json(folder / "job.json")
    if not isinstance(record, dict) or record.get("schema_version") != SCHEMA_VERSION:
        raise _damaged(folder, f"its schema version is not {SCHEMA_VERSION}")
    checked: JobRecord = untrusted.typed(JobRecord, record, _DAMAGED.format(folder / "job.json"), _HINT)
    return dict(checked)


@functools.cache  # the same for all jobs of a command
def _here() -> dict[str, str]:
    return environment()


def _types(config: Config) -> dict[str, str]:
    """Dotted names of the dataclasses of the groups: a choice may have a subclass with fields of its own."""
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    return {
        name: f"{type(value).__module__}.{type(value).__qualname__}"
        for name, value in values.items()
        if dataclasses.is_dataclass(value)
    }


def _config(values: dict[str, Any], types: dict[str, str]) -> Config:
    built = dict(values)
    for name, group in _groups().items():
        chosen = load_class(types[name], f"types.{name}", group)
        built[name] = pydantic.TypeAdapter(chosen).validate_python(values[name])
    return Config(**built)


@functools.cache
def _groups() -> dict[str, type]:
    """The dataclass of each group; what a choice has is one of it."""
    hints = typing.get_type_hints(Config)
    return {name: kind for name, kind in hints.items() if isinstance(kind, type) and dataclasses.is_dataclass(kind)}


_DAMAGED = "{} is not a job of this version of fvhydra"
_HINT = "Install the version that wrote it where the job runs, or start the sweep again."


def _damaged(folder: Path, what: str) -> UsageError:
    return UsageError(f"{_DAMAGED.format(folder / 'job.json')}: {what}.", _HINT)
