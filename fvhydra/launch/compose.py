# SPDX-License-Identifier: Apache-2.0
"""Composing the jobs of a sweep: Hydra once for each combination of choices, and plain values on top of that.

Hydra takes a tenth of a second to compose a configuration. Jobs that differ in plain values only (``seed=0,1,2``)
differ in nothing else that was composed, so a thousand of them take seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import OverrideType
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from fvhydra.config.load import build_config
from fvhydra.config.root import Config


class Composer:
    """From the overrides of a job to its validated configuration.

    Args:
        loader: Hydra's.
        common: What the command line alone composes to, the sweep's values left out.
    """

    def __init__(self, loader: ConfigLoader, common: DictConfig) -> None:
        self._loader, self._common = loader, common
        self._parser = OverridesParser.create(config_loader=loader)
        self._groups = frozenset(loader.list_groups(""))
        self._read: dict[str, tuple[str, Any]] = {}
        self._composed: dict[tuple[str, ...], _Composed] = {}

    def __call__(self, overrides: Sequence[str], number: int) -> Config:
        """The configuration of job ``number``.

        Raises:
            ConfigError: Lists every problem.
            HydraException, OmegaConfBaseException: An override cannot be composed at all.
        """
        values: dict[str, Any] = {}
        choices = []
        for word in overrides:
            name, value = self._plain_value(word)
            if name:
                values[name] = value
            else:
                choices.append(word)
        key = (*choices, "", *values)  # a choice may decide which keys there are
        try:
            if key in self._composed:
                return self._composed[key].with_values(values, number)
        except OmegaConfBaseException:
            pass  # Hydra says better what is wrong
        composed = self._loader.load_sweep_config(self._common, list(overrides))
        self._composed[key] = _Composed(composed)
        return self._composed[key].with_values(values, number)

    def _plain_value(self, word: str) -> tuple[str, Any]:
        """Key and value of an override that sets one number, word, truth value or null; no key for any other."""
        if word not in self._read:
            override = self._parser.parse_override(word)
            key, value = override.key_or_group, override.value()
            plain = override.type is OverrideType.CHANGE and isinstance(value, (str, int, float, bool, type(None)))
            is_choice = override.package is not None or "/" in key or key in self._groups
            self._read[word] = (key, value) if plain and not is_choice else ("", None)
        return self._read[word]


class _Composed:
    """A composed configuration on which plain values are set, one job after the other."""

    def __init__(self, composed: DictConfig) -> None:
        self._composed = composed
        raw = OmegaConf.to_container(composed, resolve=False)
        assert isinstance(raw, dict)
        self._referring = {str(name) for name, part in raw.items() if _refers(part)}
        self._values: dict[str, str] = {}
        self._built: dict[str, Any] = {}

    def with_values(self, values: dict[str, Any], number: int) -> Config:
        """The configuration with these values; what they do not touch is that of the job before."""
        spelt = {key: repr(value) for key, value in values.items()}
        changed = [key for key in values if self._values.get(key) != spelt[key]]
        for key in changed:
            OmegaConf.update(self._composed, key, values[key])
        self._values = spelt
        with open_dict(self._composed):
            self._composed.hydra.job.num = number
            self._composed.hydra.job.id = str(number)
        refer = [key for key, value in values.items() if _refers(value)]
        touched = self._referring | {key.partition(".")[0] for key in (*changed, *refer)}
        self._built = {name: part for name, part in self._built.items() if name not in touched}
        config = build_config(self._composed, self._built)
        self._built = {field.name: getattr(config, field.name) for field in fields(config)}
        return config


def _refers(part: Any) -> bool:
    """Whether a part of an unresolved configuration refers to another part; the environment stays as it is."""
    if isinstance(part, dict):
        return any(map(_refers, part.values()))
    if isinstance(part, list):
        return any(map(_refers, part))
    return isinstance(part, str) and "${" in part.replace("${oc.env:", "")
