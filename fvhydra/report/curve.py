# SPDX-License-Identifier: Apache-2.0
"""The geometry of the per-frame curve; the template draws it as SVG, so it is there without any script."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True)
class Curve:
    """A curve in a box of 100 x 100 that the page stretches.

    Attributes:
        title: What is drawn.
        lines: ``x,y x,y ...`` each, x at the middle of each frame's column, y downwards. Between two lines are frames
            without a finite value.
        low: Value at the bottom edge.
        high: Value at the top edge.
        limits: (label, y) of each gate, y in percent from the top.
        worst: (x, y) of the worst frame, in percent.
        marks: (label, x) of places on the way, x in percent from the left.
    """

    title: str
    lines: list[str]
    low: float
    high: float
    limits: Sequence[tuple[str, float]] = ()
    worst: tuple[float, float] | None = None
    marks: Sequence[tuple[str, float]] = ()


def curve(values: Sequence[float], worst: int, limits: Sequence[tuple[str, float]]) -> Curve:
    """Lay out per-frame MS-SSIM. The top edge is 1, identical.

    Args:
        values: One a frame, at most 1.
        worst: Index of the frame to mark.
        limits: (label, value) of each gate, drawn as a line across.
    """
    lowest = min([*values, *(value for _, value in limits)])
    # some air below the lowest mark; a perfect curve gets an axis too, instead of a division by zero
    low = 1.0 - max(1e-4, (1.0 - lowest) * 1.15)

    def x(frame: int) -> float:
        return round((frame + 0.5) / len(values) * 100, 3)

    def y(value: float) -> float:
        return round((1.0 - value) / (1.0 - low) * 100, 3)

    points = " ".join(f"{x(frame)},{y(value)}" for frame, value in enumerate(values))
    gates = [(label, y(value)) for label, value in limits]
    return Curve("MS-SSIM", [points], low, 1.0, gates, (x(worst), y(values[worst])))


def series(title: str, values: Sequence[float], frames: int) -> Curve:
    """Lay out values of any scale.

    Args:
        title: What they are.
        values: One a frame, or one for each frame and the next; gaps where they are not finite.
        frames: How many frames the clip has.
    """
    finite = [value for value in values if math.isfinite(value)]
    least, most = min(finite, default=0.0), max(finite, default=0.0)
    air = (most - least) * 0.08 or max(abs(most) * 0.01, 1e-4)
    low, high = least - air, most + air
    # between two frames: at the edge of their columns
    shift, count = (1.0, frames) if len(values) == frames - 1 else (0.5, len(values))

    def point(index: int) -> str:
        return f"{round((index + shift) / count * 100, 3)},{round((high - values[index]) / (high - low) * 100, 3)}"

    stretches = groupby(range(len(values)), key=lambda index: math.isfinite(values[index]))
    return Curve(title, [" ".join(map(point, stretch)) for known, stretch in stretches if known], low, high)


def from_zero(title: str, values: Sequence[float], limits: Sequence[tuple[str, float]]) -> Curve:
    """Lay out values of which 0 is the best.

    Args:
        title: What they are.
        values: One a step, 0 or more.
        limits: (label, value) of lines across; those far above all values are left out.
    """
    most = max(values, default=0.0)
    gates = [(label, value) for label, value in limits if value <= 3 * most]
    high = 1.08 * max([most, *(value for _, value in gates)]) or 1.0

    def point(index: int) -> str:
        return f"{round((index + 0.5) / len(values) * 100, 3)},{round(100 - values[index] / high * 100, 3)}"

    shown = [(label, round(100 - value / high * 100, 3)) for label, value in gates]
    return Curve(title, [" ".join(map(point, range(len(values))))], 0.0, high, shown)


@dataclass(frozen=True)
class Motion:
    """How much two clips move, in a box of 100 x 100.

    Attributes:
        before: ``x,y x,y ...`` of the reference.
        after: The same of the artifact.
        high: Value at the top edge, in levels of 255; the bottom edge is 0, a still.
    """

    before: str
    after: str
    high: float


def motion(changes: Sequence[Sequence[float]]) -> Motion:
    """Lay out the change from each frame to the next of two clips, the reference first."""
    high = max((value for clip in changes for value in clip), default=0.0) * 1.1 or 1.0
    count = max(map(len, changes))

    def line(clip: Sequence[float]) -> str:
        return " ".join(
            f"{round((index + 0.5) / count * 100, 3)},{round(100 - value / high * 100, 3)}"
            for index, value in enumerate(clip)
        )

    before, after = map(line, changes)
    return Motion(before, after, high)
