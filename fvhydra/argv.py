# SPDX-License-Identifier: Apache-2.0
"""The words of a command line, before Hydra reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fvhydra.config.override import quoted
from fvhydra.config.schema import conf_dir, typed_words
from fvhydra.config.secrets import words_without_user_info
from fvhydra.core.errors import UsageError
from fvhydra.core.project import Added, ConfigFolder, Settings, applied, config_folders, project_settings

FREE_TEXT = (
    *("prompt", "prompt_file", "prompts.path", "image", "run", "sweep", "videos", "references", "manifest"),
    *("op.reason", "op.resume_from", "op.modules", "sampling.negative_prompt", "store.path", "launcher.python"),
    *("engine.python", "engine.path", "source", "op.key_file", "op.to", "op.verify", "op.unpack", "op.cache_dir"),
    *("op.good", "op.bad", "op.build", "op.source_result", "op.mirror", "runtime.cache_dir", "runtime.output_dir"),
)
"""Keys whose values are text or paths, never lists: a comma in them is a comma."""

FREE_LISTS = ("runs", "record", "op.results", "op.source_results")
"""Keys whose values are paths and addresses, one or a list in brackets: a comma in them ends one."""


def quote_free_text(words: Sequence[str]) -> list[str]:
    """Quote free text for Hydra's grammar: commas, ``=``, parentheses, ``$``, quotes, any script.

    A value that already is one quoted string stays as it is, and so does, with ``-m``, a list of quoted strings. Flags
    come first in the answer: Hydra reads none after the first override.
    """
    sweeping = is_multirun(words)
    flags, given = _parted(words)
    return [*flags, *(_quote_free_text(word, sweeping) for word in given)]


def is_multirun(words: Sequence[str]) -> bool:
    """Whether ``-m`` or ``--multirun`` is among the words."""
    return any(word in ("-m", "--multirun") for word in words)


def _quote_free_text(word: str, sweeping: bool) -> str:
    key, equals, value = word.partition("=")
    if key in FREE_LISTS and not sweeping:
        if not (value.startswith("[") and value.endswith("]")):
            plain = value in ("", "null") or "," in value or _is_quoted(value)
            return word if plain else f"{key}={quoted(value)}"
        parts = [part.strip() for part in _split(value[1:-1])]
        return f"{key}=[{','.join(part if _is_quoted(part) else quoted(part) for part in parts if part)}]"
    if not equals or key.lstrip("+") not in FREE_TEXT:
        return word
    if value in ("", "null") and key != "prompt":
        return word
    if _is_quoted(value) or (sweeping and all(_is_quoted(part.strip()) for part in _split(value))):
        return word
    return f"{key}={quoted(value)}"


def _is_quoted(value: str) -> bool:
    """Whether ``value`` is exactly one quoted string."""
    if len(value) < 2 or value[0] not in "'\"" or value[-1] != value[0]:
        return False
    inside = value[1:-1]
    position = 0
    while position < len(inside):
        if inside[position] == "\\":
            position += 2
            continue
        if inside[position] == value[0]:
            return False
        position += 1
    return position == len(inside)


def _split(value: str) -> list[str]:
    """Split at the commas outside of quotes."""
    parts, quote, start = [], "", 0
    for position, char in enumerate(value):
        if quote:
            quote = "" if char == quote and value[position - 1] != "\\" else quote
        elif char in "'\"":
            quote = char
        elif char == ",":
            parts.append(value[start:position])
            start = position + 1
    return [*parts, value[start:]]


@dataclass(frozen=True)
class CommandLine:
    """What was typed, and what the project and the environment add to it.

    Attributes:
        words: All words, those of the project first; named sweeps are written out, folders left out.
        of_project: Those that the project's settings gave.
        folders: Folders of YAML files beside our own.
    """

    words: list[str]
    of_project: list[str]
    folders: list[ConfigFolder]
    settings: Settings

    @classmethod
    def read(cls, given: Sequence[str]) -> CommandLine:
        """The command line of a person in the current folder.

        Raises:
            UsageError: The project's settings are wrong, or a folder or a sweep that is named is not there.
        """
        settings = project_settings()
        flags, typed = _parted(_without_config_dirs(given))
        of_project, own = applied(settings, typed)
        flags += ["-m"] if len(own) < len(typed) and not is_multirun(flags) else []  # a sweep was called
        words = _with_keys([*flags, *of_project, *own])
        return cls(words, of_project, config_folders(given, settings), settings)

    @property
    def dirs(self) -> list[Path]:
        """The folders of YAML files, our own first."""
        return [conf_dir(), *(folder.path for folder in self.folders)]

    @property
    def added(self) -> Added:
        """What was not typed, for the record."""
        named = [str(folder.path) for folder in self.folders if folder.origin != "command"]
        of_project = words_without_user_info(self.of_project)
        return Added(str(self.settings.file) if of_project else None, of_project, named)


def _with_keys(words: list[str]) -> list[str]:
    """Put the key in the place of what is typed for it: ``source=`` for ``from=``."""
    chosen = [value for key, _, value in (word.partition("=") for word in words) if key == "op"]
    keys = typed_words(chosen[-1] if chosen else "")
    parted = [word.partition("=") for word in words]
    return [f"{keys[key]}={value}" if equals and key in keys else key + equals + value for key, equals, value in parted]


def _without_config_dirs(words: Sequence[str]) -> list[str]:
    """Hydra takes one such folder, and reads in it whatever there is."""
    named = [index for index, word in enumerate(words) if word.partition("=")[0] in ("--config-dir", "-cd")]
    values = [index + 1 for index in named if "=" not in words[index]]
    return [word for index, word in enumerate(words) if index not in (*named, *values)]


def refuse_what_hydra_ignores(words: Sequence[str], dirs: Sequence[Path] = ()) -> None:
    """Refuse words that Hydra ignores silently or fails on without a word.

    Args:
        words: The words.
        dirs: The folders of YAML files, our own first.

    Raises:
        UsageError: ``hydra/launcher=``; ``--cfg`` with ``-m``; flags that replace fvhydra's own
            configuration; a value without a key; a group without an option.
    """
    groups = _groups(dirs or [conf_dir()])
    foreign = [word for word in words if word.partition("=")[0] in _FOREIGN_FLAGS or word.startswith("--config")]
    if foreign:
        raise UsageError(
            f"{foreign[0]}: fvhydra always starts from its own configuration.",
            "Add options of yours with --config-dir=<folder>.",
        )
    bare = [word for word in words if word.lstrip("+").startswith("hydra/launcher=")]
    if bare:
        options = ", ".join(f"launcher={name}" for name in sorted(groups["launcher"]))
        raise UsageError(
            f"{bare[0]}: jobs would not run there.",
            f"Write one of these instead: {options}.",
        )
    _refuse_groups_without_option(words, groups)
    if is_multirun(words) and any(word in ("--cfg", "-c") for word in words):
        raise UsageError("--cfg shows one configuration, and -m asks for many.", "Leave -m and the sweeps away.")


def _refuse_groups_without_option(words: Sequence[str], groups: Mapping[str, set[str]]) -> None:
    for word in overrides(words):
        key, _, value = word.lstrip("+~").partition("=")
        if not key:
            raise UsageError(f"{word!r} has no key.", "Write key=value.")
        several = value.split(",") if is_multirun(words) else [value]
        if key == "launcher" and len(value.split(",")) > 1:
            raise UsageError(f"{word}: all jobs of a command have one launcher.", "Run the command once for each.")
        if key in groups and (word.startswith("~") or any(_NO_OPTION.fullmatch(option) for option in several)):
            raise UsageError(f"{word}: a job needs one.", f"Allowed: {', '.join(sorted(groups[key]))}.")


def _groups(dirs: Sequence[Path]) -> dict[str, set[str]]:
    """The groups and their options, in the folders of YAML files."""
    found: dict[str, set[str]] = {}
    for folder in dirs:
        for group in (path for path in folder.glob("*") if path.is_dir()):
            options = {path.relative_to(group).with_suffix("").as_posix() for path in group.rglob("*.yaml")}
            found[group.name] = found.get(group.name, set()) | options
    return found


def overrides(words: Sequence[str]) -> list[str]:
    """The words that are overrides: no flags, and no values of flags."""
    return _parted(words)[1]


_FOREIGN_FLAGS = ("-cn", "-cp", "--experimental-rerun")
_NO_OPTION = re.compile(r"(null|true|false|[-+]?[0-9.]+|\[\s*\]|)", re.IGNORECASE)
"""Values that Hydra reads as something other than the name of an option."""

_FLAGS_WITH_VALUE = (
    *("--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp", "--package", "-p", "--cfg", "-c"),
    *("--experimental-rerun", "--info", "-i"),
)


def _parted(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split words into flags, each followed by its value, and overrides."""
    flags: list[str] = []
    given: list[str] = []
    for position, word in enumerate(words):
        is_value = position > 0 and words[position - 1] in _FLAGS_WITH_VALUE and "=" not in word
        (flags if is_value or word.startswith("-") else given).append(word)
    return flags, given
