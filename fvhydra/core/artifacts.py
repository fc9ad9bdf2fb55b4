# SPDX-License-Identifier: Apache-2.0
"""What is found out about artifacts and about pairs of them, as plain data: parts of ``result.json``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class PixelThresholds:
    """The least MS-SSIM that passes: of the mean, and of every frame (None: not looked at)."""

    mean_ms_ssim: float
    min_ms_ssim: float | None = None


@dataclass(frozen=True)
class LatentThresholds:
    """The largest cosine distances that pass."""

    slice_cosine: float
    full_cosine: float


@dataclass(frozen=True)
class SliceSpec:
    """A slice of a latent that its reference keeps in full precision."""

    kind: str
    version: int = 1


@dataclass(frozen=True)
class Motion:
    """How much two clips move: the mean absolute change from each frame to the next, in levels of 255."""

    reference: list[float]
    generated: list[float]


@dataclass(frozen=True)
class PixelComparison:
    """MS-SSIM of two clips, or why there is none.

    Attributes:
        mean_ssim: Mean over the frames. The names are FastVideo's; the values are MS-SSIM there too.
        min_ssim: The worst frame's.
        max_ssim: The best frame's.
        worst_frame: Index of the worst frame.
        per_frame: One value a frame; empty when ``difference`` is set.
        levels: Scales of MS-SSIM: 5, fewer where the smaller side is 160 or less. Never compare values across levels.
        frames: Number of frames of the reference, counted while decoding; None where sizes or rates differ already.
        height: Rows of the reference.
        width: Columns of the reference.
        fps: Frames a second of the reference.
        decoder: What decoded both.
        metrics: Further values a frame, by metric id, for those that were asked for; None is an infinite PSNR,
            that of equal frames.
        difference: One sentence when the clips cannot be compared; the numbers above are None then. Never both.
        thresholds: The limits it was held to; None where it only informs.
        passed: Whether it is within them; None where nothing was decided.
        motion: How much both clips move, where that was looked at.
    """

    height: int
    width: int
    fps: float
    decoder: str
    frames: int | None = None
    levels: int | None = None
    mean_ssim: float | None = None
    min_ssim: float | None = None
    max_ssim: float | None = None
    worst_frame: int | None = None
    per_frame: list[float] = field(default_factory=list)
    metrics: dict[str, list[float | None]] = field(default_factory=dict)
    difference: str | None = None
    thresholds: PixelThresholds | None = None
    passed: bool | None = None
    motion: Motion | None = None
    kind: Literal["pixel"] = "pixel"


@dataclass(frozen=True)
class LatentComparison:
    """Distances between a generated latent and its reference, or why there are none.

    Attributes:
        slice_cosine_distance: 1 - cos of the reference's ``expected_slice`` and the same slice of the generated
            latent before rounding. 0 (same direction) to 2.
        full_cosine_distance: 1 - cos of the whole tensors, the generated one rounded to float16 as the reference is.
        max_abs_diff: Largest absolute difference of any value, after the same rounding.
        difference: One sentence when the two cannot be compared; the numbers are None then. Never both.
        slice_spec: Which slice it was.
        thresholds: The limits it was held to; None where it only informs.
        passed: Whether it is within them; None where nothing was decided.
    """

    slice_cosine_distance: float | None = None
    full_cosine_distance: float | None = None
    max_abs_diff: float | None = None
    difference: str | None = None
    slice_spec: SliceSpec | None = None
    thresholds: LatentThresholds | None = None
    passed: bool | None = None
    kind: Literal["latent"] = "latent"


@dataclass(frozen=True)
class Numerics:
    """What a reviewer looks at before a latent becomes a reference.

    Mean, standard deviation (population), minimum and maximum are over the finite values; None where there are none.
    """

    format_version: int
    shape: list[int]
    dtype_original: str
    slice_kind: str
    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    nan_count: int
    inf_count: int


@dataclass(frozen=True)
class LatentNumerics:
    """Numerics of a reference and of what was generated; None for the one that is not there."""

    reference: Numerics | None = None
    generated: Numerics | None = None


@dataclass(frozen=True)
class ClipFacts:
    """What a player needs to know of a clip; ``fps`` in frames a second, sizes in pixels."""

    frames: int
    height: int
    width: int
    fps: float
