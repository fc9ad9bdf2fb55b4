"""From what Hydra composed to validated objects, and from its complaints to sentences.

Composing checks names and types; :func:`build` checks everything else. Both report *all* problems at once, each with
its full key, what was given and what is allowed.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from typing import Any

import pydantic
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fvhydra.config import limits
from fvhydra.config.problems import ConfigError
from fvhydra.config.root import Config


def build(composed: DictConfig) -> Config:
    """Turn a composed configuration into the validated :class:`Config`.

    Raises:
        ConfigError: Lists every problem.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    types = typing.get_type_hints(Config, include_extras=True)
    for field in dataclasses.fields(Config):
        try:
            value = composed[field.name]
            whole = OmegaConf.to_object(value) if OmegaConf.is_config(value) else value
            values[field.name] = pydantic.TypeAdapter(types[field.name]).validate_python(whole)
        except pydantic.ValidationError as error:
            problems += _sentences(error, field.name)
        except OmegaConfBaseException as error:
            problems.append(_omegaconf_sentence(error))
    if "model" in values and "sampling" in values:
        problems += limits.problems(values["model"], values["sampling"])
    if problems:
        raise ConfigError(problems)
    return Config(**values)


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
            sentences.append(f"{key}={item['input']!r}: {must}.")
    return sentences


def _omegaconf_sentence(error: OmegaConfBaseException) -> str:
    first = str(error).splitlines()[0].rstrip(".")
    return f"{error.full_key or 'configuration'}: {first}."
