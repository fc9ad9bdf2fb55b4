# SPDX-License-Identifier: Apache-2.0
"""``metrics=``: how clips are measured. Takes one word or a list: ``metrics=[pixel,temporal]``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass as plain_dataclass
from typing import Annotated, Any

from pydantic import AfterValidator
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import doc
from fvhydra.config.problems import ConfigError


def _is_device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", value):
        raise ValueError("must be auto, cpu, cuda, or cuda:<index>")
    return value


@dataclass
class MetricsConfig:
    """Metrics with their parameters; each word after ``metrics=`` adds some."""

    use: dict[str, Any] = doc("Parameters, as family.name.parameter; null leaves a metric out", factory=dict)
    assets: dict[str, str | None] = doc("Local weights by name, instead of the Hub's", factory=dict)
    weights_lock: str | None = doc(
        "Where weights of no published hash are pinned at their first use, to be committed; null: nowhere",
        "fvhydra-weights.lock",
    )
    tiny: bool = doc("Small random weights instead of real ones, to try how things run: scores mean nothing", False)
    device: Annotated[str, AfterValidator(_is_device)] = doc(
        "Where networks run: cpu, cuda, cuda:1; auto: the GPU where there is one", "auto"
    )
    tf32: bool = doc("Whether networks on a GPU may round float32 to TF32: quicker, and off by 1e-6", False)


@plain_dataclass(frozen=True)
class Choice:
    """A metric that was asked for.

    Attributes:
        id: ``family.name``.
        params: As given; the metric's own dataclass checks them.
        target: Dotted path of the class of a metric from outside this package.
    """

    id: str
    params: dict[str, Any]
    target: str | None = None


def choices(config: MetricsConfig) -> list[Choice]:
    """The metrics of ``metrics.use``, sorted by id.

    Raises:
        ConfigError: Something in it is not ``family.name.parameter``.
    """
    found, problems = [], []
    for family, members in config.use.items():
        if not isinstance(members, Mapping):
            problems.append(f"metrics.use.{family}={members!r}: must be names of metrics, as in common.ssim.")
            continue
        for name, given in members.items():
            if given is None:
                continue
            if not isinstance(given, Mapping):
                problems.append(f"metrics.use.{family}.{name}={given!r}: must be parameters, {{}} or null.")
                continue
            params = {str(key): value for key, value in given.items() if key != "_target_"}
            found.append(Choice(f"{family}.{name}", params, given.get("_target_")))
    if problems:
        raise ConfigError(problems)
    return sorted(found, key=lambda choice: choice.id)
