# SPDX-License-Identifier: Apache-2.0
"""``common.ssim``, ``common.ms_ssim`` and ``common.psnr``: a clip against its reference, frame by frame."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import PositiveFloat, doc, one_of
from fvhydra.metrics.base import Chunk, Metric, Reading, SampleVideos, Skipped
from fvhydra.metrics.common.structure import SIDE, Structures
from fvhydra.metrics.functional import pixel
from fvhydra.metrics.sample import Sample
from fvhydra.metrics.series import SeriesReading
from fvhydra.metrics.spec import Input, Output, Spec
from fvhydra.similarity.structure import levels_that_fit

Frames = NDArray[np.uint8]

_INPUTS = (Input("video", "video"), Input("reference", "video"))
_SEEN = (
    *("drop a frame", "repeat a frame", "shift by one", "speed 2x", "freeze", "swap two clips", "cut to another"),
    *("hue shift", "blur", "noise", "jpeg"),
)


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError("must be odd")
    return value


@dataclass
class PairParams:
    """How clips of unequal length are compared."""

    parity: Annotated[str, one_of("upstream", "peer")] = doc(
        "upstream: clips of unequal length are skipped; peer: cut to the shorter, as FastVideo does", "upstream"
    )


@dataclass
class SsimParams(PairParams):
    """How frames are compared."""

    border: Annotated[str, one_of("zero", "valid")] = doc(
        "zero: the whole frame, black around it (FastVideo); valid: where the window lies inside (the paper)", "zero"
    )
    window: Annotated[int, Field(ge=3), AfterValidator(_odd)] = doc("Side of the Gaussian in pixels, odd", SIDE)


@dataclass
class PsnrParams(PairParams):
    """How frames are compared."""

    largest: PositiveFloat = doc("The peak, of values in 0 to 1", 1.0)


class Ssim(Metric):
    """See :func:`fvhydra.metrics.functional.pixel.ssim`."""

    spec = Spec(
        id="common.ssim",
        version=1,
        title="Structural similarity to the reference, mean over the frames",
        kind="sample",
        direction="higher",
        unit="1",
        low=-1.0,
        high=1.0,
        inputs=_INPUTS,
        outputs=(Output("per_frame", direction="higher", per="frame"),),
        params=SsimParams,
        source="Wang et al. 2004, with FastVideo's black border",
        ideal=1.0,
        sees=_SEEN,
    )

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        border, window = self.params.border, self.params.window
        if border == "valid":
            _require_sides(clip, window)
        if (border, window) == ("zero", SIDE) and _scales(clip):
            structures = Structures.of(clip, "ssim")
            return SeriesReading(lambda chunk: structures.ssim(*_pair(chunk), chunk.shared), divided=True)
        return SeriesReading(lambda chunk: pixel.ssim(*_pair(chunk), border, window))


class MsSsim(Metric):
    """See :func:`fvhydra.metrics.functional.pixel.ms_ssim`."""

    spec = Spec(
        id="common.ms_ssim",
        version=1,
        title="Multi-scale structural similarity to the reference, mean over the frames",
        kind="sample",
        direction="higher",
        unit="1",
        low=0.0,
        high=1.0,
        inputs=_INPUTS,
        outputs=(Output("per_frame", direction="higher", per="frame"), Output("scales")),
        params=PairParams,
        source="Wang et al. 2003, with the choices of pytorch-msssim 1.0",
        ideal=1.0,
        sees=_SEEN,
    )

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        _require_sides(clip, SIDE)
        structures = Structures.of(clip, "ms_ssim")
        return SeriesReading(
            lambda chunk: structures.ms_ssim(*_pair(chunk), chunk.shared),
            outputs={"scales": _scales(clip)},
            divided=True,
        )


class Psnr(Metric):
    """See :func:`fvhydra.metrics.functional.pixel.psnr_db`."""

    spec = Spec(
        id="common.psnr",
        version=2,
        title="Peak signal-to-noise ratio against the reference, mean of the frames' decibels",
        kind="sample",
        direction="higher",
        unit="dB",
        high=None,
        inputs=_INPUTS,
        outputs=(Output("per_frame", unit="dB", direction="higher", per="frame"), Output("infinite_frames")),
        params=PsnrParams,
        source="FastVideo; equal frames are in no mean, where it counts 100 dB",
        ideal=math.inf,
        sees=_SEEN,
    )

    def begin(self, sample: Sample, clip: SampleVideos) -> Reading:
        largest, parity = self.params.largest, self.params.parity
        return SeriesReading(lambda chunk: pixel.psnr_db(*_pair(chunk), largest, parity), unbounded=True)


def _pair(chunk: Chunk) -> tuple[Frames, Frames]:
    return chunk.tracks["reference"], chunk.tracks["video"]


def _scales(clip: SampleVideos) -> int:
    track = clip.tracks["video"]
    return levels_that_fit(track.height, track.width)


def _require_sides(clip: SampleVideos, least: int) -> None:
    track = clip.tracks["video"]
    if min(track.height, track.width) < least:
        raise Skipped("shape", f"frames of {track.height}x{track.width} are smaller than the window of {least}")
