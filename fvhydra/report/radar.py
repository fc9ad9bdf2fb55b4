# SPDX-License-Identifier: Apache-2.0
"""The geometry of a radar of many dimensions; the template draws it as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_RADIUS = 100.0


@dataclass(frozen=True)
class Axis:
    """A dimension: the end of its spoke, and where its name stands."""

    name: str
    x: float
    y: float
    label_x: float
    label_y: float
    anchor: str


@dataclass(frozen=True)
class Radar:
    """Columns over the same dimensions, around the origin, 100 units at most.

    Attributes:
        shapes: (name, ``x,y x,y ...``) of each column that has every dimension.
        rings: Radii of the grid, at 0.25, 0.5, 0.75 and 1 of each dimension's normalised scale.
        columns: As in ``details["vbench"]``.
        missing: Dimensions without a value; then there is no shape.
        source: Where the published columns are from.
    """

    axes: list[Axis]
    shapes: list[tuple[str, str]]
    rings: list[float]
    columns: list[dict[str, Any]]
    missing: list[str]
    source: str


def radar(found: Mapping[str, Any]) -> Radar:
    """Lay out what ``evaluation.vbench.standing`` found. Values beyond the scale are drawn at its edge."""
    names = list(found["dimensions"])
    angles = [2 * math.pi * index / len(names) - math.pi / 2 for index in range(len(names))]
    complete = [column for column in found["columns"] if set(names) <= set(column["normalised"])]
    shapes = [
        (
            str(column["name"]),
            " ".join(
                _point(angle, min(max(float(column["normalised"][name]), 0.0), 1.0) * _RADIUS)
                for name, angle in zip(names, angles, strict=True)
            ),
        )
        for column in complete
    ]
    return Radar(
        [_axis(name, angle) for name, angle in zip(names, angles, strict=True)],
        shapes,
        [_RADIUS * share / 4 for share in (1, 2, 3, 4)],
        list(found["columns"]),
        list(found["missing"]),
        str(found.get("source", "")),
    )


def _axis(name: str, angle: float) -> Axis:
    x, y = math.cos(angle), math.sin(angle)
    anchor = "middle" if abs(x) < 0.2 else "start" if x > 0 else "end"
    place = _RADIUS * 1.08
    return Axis(
        name.replace("_", " "), round(x * _RADIUS, 2), round(y * _RADIUS, 2),
        round(x * place, 2), round(y * place, 2), anchor,
    )  # fmt: skip


def _point(angle: float, radius: float) -> str:
    return f"{round(math.cos(angle) * radius, 2)},{round(math.sin(angle) * radius, 2)}"
