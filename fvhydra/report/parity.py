# SPDX-License-Identifier: Apache-2.0
"""The page of two engines beside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fvhydra.core.errors import MediaError
from fvhydra.core.parity import ParityCase, ParitySeries
from fvhydra.core.result import RunResult
from fvhydra.report import page
from fvhydra.report.clips import ClipView, clip_view
from fvhydra.report.curve import Curve, from_zero
from fvhydra.report.heatmap import HeatMap, palette, read_heatmap
from fvhydra.report.media import inside

_CURVES = 24
_ROWS = 80
_LEAST = -8
"""Power of ten at the dark end of the grid; 1 is the light one."""
_AXES = {
    "latent": "of the latent, averaged over the channels",
    "frames": "of the frames, in levels of 255, longer clips in 12 parts",
}


@dataclass(frozen=True)
class Cell:
    """A module at a step: its number, and colours as CSS. ``colour`` is empty where the bytes are equal."""

    text: str
    colour: str = ""
    ink: str = ""


@dataclass(frozen=True)
class CaseView:
    """What the template needs of a case, worked out.

    Attributes:
        clips: What both sides generated.
        curves: Difference over steps of the tensors that differ at all, in the order of execution.
        grid: A line for each module: its name, and a cell a step.
        hidden: Modules that the grid leaves out.
        maps: (what, picture) of the outputs.
    """

    case: ParityCase
    clips: ClipView
    curves: list[Curve]
    grid: list[tuple[str, list[Cell]]]
    hidden: int
    maps: list[tuple[str, HeatMap]]


def render_parity(run_dir: Path, result: RunResult, manifest: dict[str, Any]) -> str:
    """The page of ``op=parity``.

    Args:
        run_dir: The run folder, with ``sides/`` and ``maps/``; only read.
        result: With its ``parity``.
        manifest: Its ``manifest.json``; every key is optional.
    """
    found = result.parity
    assert found is not None
    views = [_view(run_dir, case, found.tolerance) for case in found.cases]
    return page.render("parity.html", **page.masthead(result, manifest), parity=found, views=views)


def _view(run_dir: Path, case: ParityCase, tolerance: float) -> CaseView:
    differing = [each for each in case.over_steps if any(each.relative)]
    curves = [
        from_zero(f"{each.module} {each.tensor}", values, [("allowed", tolerance)])
        for each in differing[:_CURVES]
        if len(values := [value for value in each.relative if value is not None]) == len(each.relative) > 1
    ]
    grid = _grid(case.over_steps if len(case.over_steps) <= _ROWS else differing)
    series = {"difference, levels of 255": case.frames} if case.frames else {}
    clips = clip_view(run_dir, f"case {case.index}", case.outputs, series, "lower")
    return CaseView(case, clips, curves, grid[:_ROWS], len(grid[_ROWS:]), _maps(run_dir, case))


def _grid(series: Sequence[ParitySeries]) -> list[tuple[str, list[Cell]]]:
    """The largest difference of a module's tensors at each step."""
    modules: dict[str, list[list[float | None]]] = {}
    for each in series:
        modules.setdefault(each.module, []).append(each.relative)
    colours = palette()
    lines = []
    for module, columns in modules.items():
        steps = [[value for value in step if value is not None] for step in zip(*columns, strict=False)]
        lines.append((module, [_cell(max(values), colours) if values else Cell("–") for values in steps]))
    return lines


def _cell(value: float, colours: Any) -> Cell:
    if value == 0.0:
        return Cell("=")
    place = min(max((math.log10(value) - _LEAST) / -_LEAST, 0.0), 1.0)
    red, green, blue = (int(level) for level in colours[round(place * (len(colours) - 1))])
    return Cell(f"{value:.0e}", f"rgb({red} {green} {blue})", "#000" if place > 0.55 else "#fff")


def _maps(run_dir: Path, case: ParityCase) -> list[tuple[str, HeatMap]]:
    found = []
    for name, relative in case.maps.items():
        path = inside(run_dir, relative)
        if path is not None and path.is_file():
            try:
                found.append((_AXES.get(name, name), read_heatmap(path)))
            except MediaError:  # damaged since; the numbers are in the table
                continue
    return found
