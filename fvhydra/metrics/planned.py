"""Metrics that are listed and not there yet. Each moves to a class of its own, and from here to the catalogue."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from fvhydra.metrics.spec import Input, Spec


@dataclass
class NoParams:
    """A metric without parameters."""


_VIDEO = Input("video", "video")

_SPECS = (
    Spec(
        id="vbench.motion_smoothness",
        version=0,
        title="How well every other frame is foretold by its neighbours, through AMT-S",
        kind="sample",
        direction="higher",
        unit="1",
        low=0.0,
        high=1.0,
        inputs=(_VIDEO,),
        params=NoParams,
        source="VBench",
        planned=True,
    ),
)

PLANNED: dict[str, Spec] = {spec.id: spec for spec in _SPECS}
"""By id."""
