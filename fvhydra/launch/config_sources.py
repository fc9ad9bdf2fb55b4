# SPDX-License-Identifier: Apache-2.0
"""Where Hydra finds choices and schemas from outside: sources beside ``conf/``.

A folder that a command adds is read through :class:`AddedFolder`, which refuses what is not its to say. A choice with
keys of its own names their dataclass (``/schema/<group>@_here_: <module>.<class>``); :class:`OutsideSchemas` finds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, ListConfig, OmegaConf

from fvhydra.config.schema import SCHEMAS
from fvhydra.core import untrusted
from fvhydra.core.data_only import refuse_file, refuse_unregistered
from fvhydra.core.errors import UsageError
from fvhydra.core.loading import load_class
from fvhydra.core.project import ConfigFolder

_folders: dict[str, ConfigFolder] = {}
"""Those of this command, by their path in Hydra's search path. Hydra makes sources by itself, from that path alone."""

_OF_HYDRA = re.compile(r"(?:^|[/@ .])hydra(?:[/@ .]|$)")
_PLAIN_PACKAGES = (None, "_global_", "_group_")


def use(folders: Sequence[ConfigFolder]) -> None:
    """Let Hydra find the choices of these folders from now on, and of no others."""
    _folders.clear()
    _folders.update({str(folder.path.absolute()): folder for folder in folders})


class AddedFolder(FileConfigSource):
    """A folder with the shape of ``conf/``."""

    @staticmethod
    def scheme() -> str:
        """Of Hydra's search path."""
        return "fvhydra-folder"

    def load_config(self, config_path: str) -> ConfigResult:
        """Read a file of it.

        Raises:
            UsageError: The file is no plain YAML, or says what only a person may.
        """
        file = Path(self.path) / self._normalize_file_name(config_path)
        untrusted.read_yaml(file)  # bounded, before anything is made of it
        result: ConfigResult = super().load_config(config_path)
        _refuse_hydra(file, config_path, result)
        if _folders[self.path].origin == "project":
            _refuse_untyped(file, config_path.split("/")[0], result)
        return result


class OutsideSchemas(ConfigSource):
    """The dataclasses of choices from outside, found by their dotted names."""

    @staticmethod
    def scheme() -> str:
        """Of Hydra's search path."""
        return "fvhydra-schemas"

    def load_config(self, config_path: str) -> ConfigResult:
        """The dataclass as a typed configuration.

        Raises:
            UsageError: There is no such class, or it is not derived from that of its group.
        """
        group, dotted = _schema_named(config_path)
        schema = load_class(dotted, group, _base(group))
        config = OmegaConf.structured(schema)
        return ConfigResult(config=config, path=dotted, provider=self.provider, header={"package": None})

    def is_config(self, config_path: str) -> bool:
        group, dotted = _schema_named(config_path)
        return f"schema/{group}" in SCHEMAS and "." in dotted

    def is_group(self, config_path: str) -> bool:
        return False

    def available(self) -> bool:
        return True

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        return []


class FvhydraSearchPath(SearchPathPlugin):
    """Adds both to Hydra's search path, behind our own choices."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Called by Hydra whenever it begins."""
        for path in _folders:
            search_path.append("fvhydra", f"{AddedFolder.scheme()}://{path}")
        search_path.append("fvhydra", f"{OutsideSchemas.scheme()}://")


def _schema_named(config_path: str) -> tuple[str, str]:
    """Group and class of ``schema/<group>/<dotted>``; empty when it is something else."""
    first, _, rest = config_path.partition("/")
    group, _, dotted = rest.partition("/")
    return (group, dotted.removesuffix(".yaml")) if first == "schema" else ("", "")


def _base(group: str) -> type:
    """The dataclass that all choices of a group share."""
    found: type = SCHEMAS[f"schema/{group}"][group]
    return found


def _refuse_hydra(file: Path, config_path: str, result: ConfigResult) -> None:
    """No YAML file of a folder configures Hydra: it can be told there to call any function."""
    # at the top, wherever the file says it belongs: another file may put it elsewhere
    keys = [str(key) for key in result.config] if isinstance(result.config, DictConfig) else []
    named = [config_path, result.header.get("package") or "", *keys, *(name for name, _ in _defaults(result.config))]
    if found := [word for word in named if _OF_HYDRA.search(word)]:
        raise UsageError(
            f"{file} sets {found[0]}: the settings of Hydra itself are not a file's to change.",
            "Leave it out; what can be set of Hydra's own is given on the command line.",
        )


def _refuse_untyped(file: Path, group: str, result: ConfigResult) -> None:
    """A file of a project's folder is data: it runs nothing but classes that are installed and registered."""
    package = result.header.get("package")
    if package not in _PLAIN_PACKAGES:
        raise UsageError(f"{file}: a project's file may not be put at {package}.", "Leave the line with @package out.")
    for name, choice in _defaults(result.config):
        name, at, where = name.partition("@")
        if at and where != "_here_":
            raise UsageError(f"{file}: a project's file may not put {name} at {where}.", "Leave the @ out.")
        _, dotted = _schema_named(f"{name.split()[-1].lstrip('/')}/{choice}")
        if "." in dotted:
            refuse_unregistered(file, name, dotted)
    values = OmegaConf.to_container(result.config, resolve=False)
    assert isinstance(values, dict)
    values.pop("defaults", None)
    refuse_file(file, "" if package == "_global_" else group, values)


def _defaults(config: Any) -> Iterator[tuple[str, str]]:
    """The entries of a defaults list: what is chosen from, with its package, and what is chosen."""
    listed = config.get("defaults") if isinstance(config, DictConfig) else None
    for entry in OmegaConf.to_container(listed, resolve=False) if isinstance(listed, ListConfig) else ():  # type: ignore[union-attr]
        if isinstance(entry, dict):
            yield from ((str(name), str(choice)) for name, choice in entry.items())
        else:
            yield str(entry), ""
