# SPDX-License-Identifier: Apache-2.0
"""``op.gate={common.ssim: ">=0.93"}``: limits that the values of metrics must keep."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator

_RELATIONS = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}
_LIMIT = re.compile(
    r"\s*(?P<statistic>mean|min|max|p\d\d?|)\s*(?P<relation>>=|>|<=|<)\s*(?P<value>[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?)\s*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Limit:
    """What one number of a metric must be.

    Attributes:
        statistic: ``mean``, ``min``, ``max`` or a percentile such as ``p05``, over the samples. Empty: the metric's own
            value over all samples.
        relation: ``>=``, ``>``, ``<=``, ``<``.
        value: In the metric's unit.
    """

    statistic: str
    relation: str
    value: float

    def holds(self, value: float) -> bool:
        """Whether ``value`` keeps the limit; a NaN never does."""
        return bool(_RELATIONS[self.relation](value, self.value))

    @property
    def from_below(self) -> bool:
        """Whether the limit is a lower bound."""
        return self.relation.startswith(">")

    def __str__(self) -> str:
        return f"{self.statistic} {self.relation} {self.value:g}".lstrip()


def limit(text: str) -> Limit:
    """Read one limit.

    Raises:
        ValueError: It is not one.

    Example:
        >>> limit("min>=0.9")
        Limit(statistic='min', relation='>=', value=0.9)
    """
    found = _LIMIT.fullmatch(text)
    if found is None:
        raise ValueError(
            f"must be limits such as '>=0.93' or 'min>=0.9' (mean, min, max, p00 to p99), and {text!r} is none"
        )
    return Limit(found["statistic"].lower(), found["relation"], float(found["value"]))


def limits(gate: dict[str, Any]) -> dict[str, list[Limit]]:
    """The limits of each metric; one text or a list of them.

    Raises:
        ValueError: One of them is not a limit.
    """
    return {
        metric: [limit(str(text)) for text in (given if isinstance(given, list) else [given])]
        for metric, given in gate.items()
    }


def _checked(gate: Any) -> Any:
    if gate is None:
        return {}
    if not isinstance(gate, dict):
        raise ValueError('must be limits by metric, such as {common.ssim: ">=0.93"}')
    limits(gate)
    return gate


Gate = Annotated[Any, BeforeValidator(_checked)]
"""Metric to its limit, or to a list of limits. Not typed as a dict, whose keys Hydra would want to know beforehand."""
