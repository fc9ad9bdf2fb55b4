# SPDX-License-Identifier: Apache-2.0
"""What Hydra says about a wrong command line, said again for people.

Hydra stops at the first problem and prints a traceback of its own modules. Here each override is composed on top of
those that are fine, so that every wrong one is named at once, with what is allowed and the nearest match.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from fvhydra.config.problems import ConfigError, nearest

_LOOKED_AT = 20
"""Values of one sweep; composing takes a tenth of a second for each."""


def explain(overrides: Sequence[str], config_dirs: Sequence[Path], error: Exception) -> ConfigError:
    """Find every override that cannot be composed.

    Args:
        overrides: The overrides of the command line; sweeps are looked at value by value.
        config_dirs: The main folder of YAML files first, then those that the command adds.
        error: What Hydra raised; its first line is the answer when no single override is at fault.
    """
    problems = [] if "--multirun" not in str(error) else [_several(item) for item in overrides if _is_sweep(item)]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(config_dirs[0]), version_base="1.3"):
        listed = GlobalHydra.instance().config_loader().list_groups("")
        groups = [group for group in listed if group not in ("hydra", "schema")]
        fine: list[str] = []
        # groups first: whether a key exists depends on the choices
        for override in sorted(overrides, key=lambda item: _key(item) not in groups):
            before = list(fine)
            for single in _singles(override)[:_LOOKED_AT]:
                try:
                    compose("config", overrides=[*before, single])
                    fine = [*before, single]
                except (HydraException, OmegaConfBaseException, ValueError) as trouble:
                    problems.append(_sentence(single, trouble, config_dirs, groups, before))
    if not problems:
        problems.append(_first_line(error))
    return ConfigError(problems)


def _sentence(
    override: str, trouble: Exception, config_dirs: Sequence[Path], groups: list[str], fine: list[str]
) -> str:
    if isinstance(trouble, OverrideParseException):
        return f"{override!r} cannot be read as key=value; quote a value that has special characters."
    key, value = _key(override), override.partition("=")[2]
    if override.startswith("~"):
        return f"{override}: keys cannot be taken away; give it another value."
    if key in groups and not value.startswith("{"):
        folders = [folder / key for folder in config_dirs]
        found = {path.relative_to(folder).with_suffix("") for folder in folders for path in folder.rglob("*.yaml")}
        options = sorted(option.as_posix() for option in found)
        unknown = [word for word in value.strip("[]").split(",") if word.strip() not in options]
        if not unknown:  # and what it leads to is missing
            return f"{override}: {_first_line(trouble)}"
        word = unknown[0].strip()
        if key == "metrics" and re.fullmatch(r"\w+\.\w+", word):
            return f"{override}: this chooses sets ({', '.join(options)}); to add {word}: '+metrics.use.{word}={{}}'."
        return f"{override}: there is no such {key}.{nearest(word, options)} Allowed: {', '.join(options)}."
    if key in ("hydra/launcher", "hydra/sweeper"):
        return f"{override}: {_first_line(trouble)}"
    cause = trouble.__cause__
    if isinstance(cause, ConfigKeyError) and cause.full_key:
        return _unknown_key(cause.full_key, groups, fine, override)
    if isinstance(cause, OmegaConfBaseException) and cause.full_key and "not in" not in str(cause):
        return f"{cause.full_key or key}={value}: {_first_line(cause)}"
    if isinstance(cause, OmegaConfBaseException) or "Could not override" in str(trouble):
        return _unknown_key(key, groups, fine, override)
    return f"{override}: {_first_line(trouble)}"


def _unknown_key(key: str, groups: list[str], fine: list[str], override: str) -> str:
    composed = compose("config", overrides=fine)
    parent, _, leaf = key.rpartition(".")
    while parent and not OmegaConf.is_dict(OmegaConf.select(composed, parent)):
        parent, _, leaf = parent.rpartition(".")
    node = OmegaConf.select(composed, parent) if parent else composed
    if parent and isinstance(node, DictConfig) and OmegaConf.get_type(node) is dict:
        added = override if _key(override).startswith(key) else f"{key}=<value>"
        meant = nearest(leaf, map(str, node))
        return f"{parent} has no entry {leaf!r} yet.{meant} To add it, write +{added.lstrip('+')}."
    allowed = [str(name) for name in node] if isinstance(node, DictConfig) else groups
    where = parent if parent else "The top level"
    return f"There is no key {key!r}.{nearest(leaf, allowed)} {where} has: {', '.join(allowed)}."


def _key(override: str) -> str:
    try:
        return OverridesParser.create().parse_override(override).key_or_group
    except (HydraException, OmegaConfBaseException):
        return override.partition("=")[0].lstrip("+~")


def _several(override: str) -> str:
    return f"{override}: several values are a sweep; add -m."


def _is_sweep(override: str) -> bool:
    return _singles(override) != [override]


def _singles(override: str) -> list[str]:
    """A sweep's values as overrides of their own; anything else as it is."""
    try:
        parsed = OverridesParser.create().parse_override(override)
        if parsed.is_sweep_override():
            return [f"{override.partition('=')[0]}={value}" for value in parsed.sweep_string_iterator()]
    except (HydraException, OmegaConfBaseException):
        pass
    return [override]


def _first_line(error: Exception) -> str:
    first, *others = str(error).splitlines() or [type(error).__name__]
    if first.endswith(":") and others:  # only where it was; what it was comes next
        first = f"{first} {others[0]}"
    return first.rstrip(".") + "."
