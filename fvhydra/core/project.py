# SPDX-License-Identifier: Apache-2.0
"""The settings of the project that a command is given in, and the folders of YAML files that a command adds.

``fvhydra.yaml``, or ``[tool.fvhydra]`` of ``pyproject.toml``, in the current folder or one above it. Whoever wrote the
checkout wrote them, so they are data (``fvhydra.core.data_only``).
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fvhydra.config.schema import config_dirs, environment_of, groups
from fvhydra.core import untrusted
from fvhydra.core.data_only import refuse_untyped
from fvhydra.core.errors import UsageError
from fvhydra.core.files import given_path

CONFIG_DIR_VARIABLE = "FVHYDRA_CONFIG_DIR"
"""Environment variable with folders like ``conf/``, separated as those of ``PATH``."""

YAML_NAME, TOML_NAME = "fvhydra.yaml", "pyproject.toml"

_SWEEP = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class ConfigFolder:
    """A folder with the shape of ``conf/`` that a command adds.

    Attributes:
        origin: Who named it. One of a project is data: its files may name no classes but registered ones.
    """

    path: Path
    origin: Literal["command", "environment", "project"]

    @property
    def named(self) -> str:
        """How to name it in a message."""
        word = {"command": "--config-dir ", "environment": f"{CONFIG_DIR_VARIABLE} ", "project": "config_dirs "}
        return f"{word[self.origin]}{self.path}"


@dataclass(frozen=True)
class Settings:
    """What a project settles, once for everybody who works in it.

    Attributes:
        file: Where that stands; None when there is no such file.
        config_dirs: Folders like ``conf/``.
        overrides: Words of the command line that hold unless a person says otherwise.
        sweeps: Words of the command line by the name that calls them, as in ``@nightly``.
    """

    file: Path | None = None
    config_dirs: tuple[Path, ...] = ()
    overrides: tuple[str, ...] = ()
    sweeps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Added:
    """What a command was given beside what was typed, for the record.

    Attributes:
        file: The project's settings.
        overrides: Words of that file that held.
        config_dirs: Folders that the environment and the project named.
    """

    file: str | None = None
    overrides: list[str] = field(default_factory=list)
    config_dirs: list[str] = field(default_factory=list)


@dataclass
class _Written:
    """The settings as they stand in the file."""

    config_dirs: list[str] = field(default_factory=list)
    overrides: list[str] = field(default_factory=list)
    sweeps: dict[str, list[str]] = field(default_factory=dict)


def project_settings(folder: Path | None = None) -> Settings:
    """The settings that hold in ``folder`` (the current one): of the nearest folder that has any.

    The search ends with the checkout and with the home folder, and passes by folders that everybody may write to.

    Raises:
        UsageError: They cannot be read, or say what is not theirs to say.
    """
    start = (folder or Path.cwd()).resolve()
    for place in (start, *start.parents):
        if place == start or not _anybody_writes(place):
            file, values = _settings_of(place)
            if file is not None:
                return _checked(file, values)
        if (place / ".git").exists() or place == Path.home():
            break
    return Settings()


def _anybody_writes(folder: Path) -> bool:
    return bool(folder.stat().st_mode & stat.S_IWOTH)


def _settings_of(folder: Path) -> tuple[Path | None, Any]:
    own, shared = folder / YAML_NAME, folder / TOML_NAME
    table = _table_of(shared) if shared.is_file() else None
    if own.is_file():
        if table is not None:
            raise UsageError(f"{folder} has settings in {YAML_NAME} and in {TOML_NAME}.", "Keep one of them.")
        return own, untrusted.read_yaml(own) or {}
    return (shared, table) if table is not None else (None, None)


def _table_of(file: Path) -> Any:
    """``[tool.fvhydra]``; None where there is none, also when the file is broken: whoever it is for says so better."""
    try:
        tool = tomllib.loads(untrusted.read_text(file)).get("tool")
    except (UsageError, tomllib.TOMLDecodeError, RecursionError):
        return None
    return tool.get("fvhydra") if isinstance(tool, dict) else None


def _checked(file: Path, values: Any) -> Settings:
    known = list(_Written.__dataclass_fields__)
    if not isinstance(values, dict):
        raise UsageError(f"{file} must hold keys of {', '.join(known)}.", "See docs/configuration.md.")
    if unknown := [key for key in values if key not in known]:
        raise UsageError(f"{file} has {unknown[0]!r}, which is none of: {', '.join(known)}.")
    written = untrusted.typed(_Written, values, f"{file} is not a project's settings", "See docs/configuration.md.")
    for word in (*written.overrides, *(word for words in written.sweeps.values() for word in words)):
        refuse_untyped(word, str(file))
    if wrong := [name for name in written.sweeps if not _SWEEP.fullmatch(name)]:
        raise UsageError(f"{file}: sweeps.{wrong[0]} must be letters, digits, '.', '_' and '-'.")
    return Settings(
        file,
        tuple(file.parent / given_path(path) for path in written.config_dirs),
        tuple(written.overrides),
        {name: tuple(words) for name, words in written.sweeps.items()},
    )


def applied(settings: Settings, typed: Sequence[str]) -> tuple[list[str], list[str]]:
    """What the project settles beside the overrides and sweeps that were typed.

    What a person typed comes first, then the environment, then a named sweep, then the project's overrides. A choice
    that was typed leaves out what the project says of another choice: ``store=local`` its ``store.repo_id=``.

    Returns:
        The overrides of the project, and those that were typed.

    Raises:
        UsageError: There is no sweep of that name.
    """
    called = [word.removeprefix("@") for word in typed if word.startswith("@")]
    typed = [word for word in typed if not word.startswith("@")]
    if unknown := [name for name in called if name not in settings.sweeps]:
        raise UsageError(
            f"@{unknown[0]}: no sweep of that name is in {settings.file or YAML_NAME}.",
            f"There are: {', '.join(f'@{name}' for name in settings.sweeps) or 'none'}.",
        )
    of_sweeps = _left([word for name in called for word in settings.sweeps[name]], typed)
    return [*_left(settings.overrides, [*typed, *of_sweeps]), *of_sweeps], typed


def _left(words: Iterable[str], stronger: Sequence[str]) -> list[str]:
    """Those of ``words`` that hold beside ``stronger`` ones and the environment."""
    theirs = {key_of(word) for word in stronger}
    settled = {f"{key}." for key in theirs & groups()}
    variables = environment_of()
    return [
        word
        for word in words
        if key_of(word) not in theirs
        and not key_of(word).startswith(tuple(settled))
        and not os.environ.get(variables.get(key_of(word), ""))
    ]


def key_of(word: str) -> str:
    """The key that a word of a command line sets."""
    return word.partition("=")[0].lstrip("+~")


def config_folders(given: Sequence[str], settings: Settings) -> list[ConfigFolder]:
    """The folders of YAML files that a command adds to ``conf/``; a choice of an earlier one counts.

    Raises:
        UsageError: One of them is not there, or ``--config-dir`` names none.
    """
    typed, named = config_dirs(given), os.environ.get(CONFIG_DIR_VARIABLE, "").split(os.pathsep)
    if "" in typed:
        raise UsageError("--config-dir needs a folder.", "Write --config-dir=<folder>.")
    found = [ConfigFolder(Path(path), "command") for path in typed]
    found += [ConfigFolder(Path(path), "environment") for path in named if path]
    found += [ConfigFolder(path, "project") for path in settings.config_dirs]
    if missing := [folder for folder in found if not given_path(folder.path).is_dir()]:
        raise UsageError(f"{missing[0].named}: there is no such folder.")
    return [ConfigFolder(given_path(folder.path), folder.origin) for folder in found]
