# SPDX-License-Identifier: Apache-2.0
"""From what Hydra composed to validated objects, and from its complaints to sentences.

Composing checks names and types; :func:`build` checks everything else. Both report *all* problems at once, each with
its full key, what was given and what is allowed.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import pydantic
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from fvhydra.config import metrics, preset_rules, size_rules
from fvhydra.config.model import ModelConfig
from fvhydra.config.problems import ConfigError, nearest, short
from fvhydra.config.root import Config
from fvhydra.config.sampling import Sampling
from fvhydra.config.secrets import without_user_info


def build_config(composed: DictConfig, known: Mapping[str, Any] | None = None) -> Config:
    """Turn a composed configuration into the validated :class:`Config`.

    Args:
        known: Top-level values that were built from the same composition before and have not changed since.

    Raises:
        ConfigError: Lists every problem.
    """
    values: dict[str, Any] = dict(known or {})
    problems = [] if known else _unknown(composed)
    for field in dataclasses.fields(Config):
        if field.name in values:
            continue
        if field.name not in composed:
            problems.append(f"{field.name}: keys cannot be taken away; give it another value.")
            continue
        try:
            value = composed[field.name]
            whole = OmegaConf.to_object(value) if OmegaConf.is_config(value) else value
            values[field.name] = _adapter(field.name).validate_python(whole)
        except pydantic.ValidationError as error:
            problems += _sentences(error, _place(composed[field.name], field.name, error.title))
            if field.name == "sampling":
                values["sampling"] = _sound_part(composed.sampling, error)
        except OmegaConfBaseException as error:
            problems.append(_omegaconf_sentence(error))
    if isinstance(values.get("model"), ModelConfig) and isinstance(values.get("sampling"), Sampling):
        problems += size_rules.problems(values["model"], values["sampling"])
        problems += preset_rules.problems(values["model"], values["sampling"])
    problems += _metric_problems(values.get("metrics"))
    new = [name for name in values if name not in (known or {})]
    problems += [problem for name in new for problem in _odd(values[name], name)]
    if problems:
        raise ConfigError(problems)
    return Config(**values)


@functools.cache
def _adapter(name: str) -> pydantic.TypeAdapter[Any]:
    return pydantic.TypeAdapter(typing.get_type_hints(Config, include_extras=True)[name])


def _metric_problems(config: Any) -> list[str]:
    try:
        metrics.choices(config if isinstance(config, metrics.MetricsConfig) else metrics.MetricsConfig())
    except ConfigError as error:
        return error.problems
    return []


def _odd(value: Any, key: str) -> Iterator[str]:
    """Numbers of free-form settings that no record could hold."""
    if dataclasses.is_dataclass(value):
        value = vars(value)
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _odd(part, f"{key}.{name}")
    elif isinstance(value, list):
        for part in value:
            yield from _odd(part, key)
    elif (isinstance(value, float) and not math.isfinite(value)) or (isinstance(value, int) and abs(value) >= 10**19):
        yield f"{key}={short(value)}: must be a finite number of at most 19 digits."


def _unknown(node: DictConfig, prefix: str = "") -> list[str]:
    """Keys that ``+`` added where the schema has none; free-form dicts take any."""
    schema = OmegaConf.get_type(node)
    known = [field.name for field in dataclasses.fields(schema)] if dataclasses.is_dataclass(schema) else []
    found = []
    for key in map(str, node):
        if prefix + key == "hydra":
            continue  # Hydra's own, in the jobs of a sweep
        if known and key not in known:
            where = prefix.rstrip(".") or "The top level"
            found.append(f"There is no key {prefix + key!r}.{nearest(key, known)} {where} has: {', '.join(known)}.")
        elif known and not (OmegaConf.is_missing(node, key) or OmegaConf.is_interpolation(node, key)):
            child = node[key]
            found += _unknown(child, f"{prefix}{key}.") if isinstance(child, DictConfig) else []
    return found


def _sound_part(sampling: Any, error: pydantic.ValidationError) -> Sampling | None:
    """The settings that are fine by themselves, so that what a model says of them is heard at the same time."""
    if not isinstance(sampling, DictConfig):
        return None
    wrong = {item["loc"][0] for item in error.errors() if item["loc"]}
    known = {field.name for field in dataclasses.fields(Sampling)}
    return Sampling(
        **{
            str(key): sampling[key]
            for key in sampling
            if key in known - wrong and not OmegaConf.is_missing(sampling, key)
        }
    )


def _place(value: Any, key: str, title: str) -> str:
    """The key of the part that a class of this name validates: a part is made, and refused, before the whole."""
    parts = value if isinstance(value, DictConfig) else {}
    within = [name for name in parts if not OmegaConf.is_missing(parts, name) and _class_of(parts[name]) == title]
    return f"{key}.{within[0]}" if len(within) == 1 and _class_of(value) != title else key


def _class_of(value: Any) -> str:
    kind = OmegaConf.get_type(value) if isinstance(value, DictConfig) else None
    return "" if kind is None else kind.__name__


def _sentences(error: pydantic.ValidationError, prefix: str) -> list[str]:
    sentences = []
    for item in error.errors(include_url=False, include_context=False):
        key = ".".join([prefix, *(str(part) for part in item["loc"])])
        rule = re.sub(r"^(Input should|Value error,|Assertion failed,) ?", "", item["msg"])
        rule = rule.removeprefix("be ")
        if item["type"] == "value_error" and not item["loc"]:
            sentences.append(f"{key}: {rule}.")
        else:
            must = rule if rule.startswith("must ") else f"must be {rule}"
            sentences.append(without_user_info(f"{key}={item['input']!r}: {must}."))
    return sentences


def _omegaconf_sentence(error: OmegaConfBaseException) -> str:
    if isinstance(error, MissingMandatoryValue) and dataclasses.is_dataclass(error.object_type):
        said = [
            field.metadata.get("help", "") for field in dataclasses.fields(error.object_type) if field.name == error.key
        ]
        return f"{error.full_key} must be given: {''.join(said)}."
    first = str(error).splitlines()[0].rstrip(".")
    return f"{error.full_key or 'configuration'}: {first}."
