# SPDX-License-Identifier: Apache-2.0
"""Maps of a latent's difference as small pictures inside the page."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray

from fvhydra.core.errors import MediaError, UsageError
from fvhydra.core.untrusted import read_array

_STEPS = 256
_NOT_FINITE = (0, 190, 255)


@dataclass(frozen=True)
class Tile:
    """One latent frame: its picture (a data URI) and its numbers. None where every value is NaN or infinite."""

    frame: int
    uri: str
    mean: float | None
    largest: float | None


@dataclass(frozen=True)
class HeatMap:
    """All frames on one scale, from 0 to ``largest``; ``scale_uri`` is the colour bar."""

    tiles: list[Tile]
    largest: float
    not_finite: int
    height: int
    width: int
    scale_uri: str


def read_heatmap(path: Path) -> HeatMap:
    """Draw a difference map.

    Args:
        path: ``.npy``, float ``[T, H, W]``, or ``[H, W]`` and ``[W]`` for what has fewer axes (audio).

    Raises:
        MediaError: Not such a file.
    """
    try:
        values = read_array(path, "difference map")
    except UsageError as error:
        raise MediaError(f"{path.name} is not a difference map: {error.message}") from error
    if not 1 <= values.ndim <= 3 or values.size == 0 or not np.issubdtype(values.dtype, np.floating):
        raise MediaError(f"{path.name} is not a difference map: {values.dtype} of shape {values.shape}.")
    return draw(values.reshape((1,) * (3 - values.ndim) + values.shape).astype(np.float64))


def draw(values: NDArray[np.float64]) -> HeatMap:
    """One picture a frame of ``[T, H, W]``, all on the scale from 0 to the largest finite value.

    Values that are not finite are drawn in a blue that the scale does not contain.
    """
    if values.shape[1:] == (1, 1):  # a signal without space: time is the only axis worth seeing
        values = values.reshape(1, 1, -1)
    finite = np.isfinite(values)
    largest = float(values.max(where=finite, initial=0.0))
    scaled = np.divide(values, largest or 1.0, where=finite, out=np.zeros_like(values))
    colours = palette()[np.rint(np.clip(scaled, 0, 1) * (_STEPS - 1)).astype(np.intp)]
    colours[~finite] = _NOT_FINITE
    tiles = [
        Tile(
            index,
            _png(colours[index]),
            float(frame[seen].mean()) if seen.any() else None,
            float(frame[seen].max()) if seen.any() else None,
        )
        for index, (frame, seen) in enumerate(zip(values, finite, strict=True))
    ]
    return HeatMap(tiles, largest, int((~finite).sum()), values.shape[1], values.shape[2], _png(palette()[np.newaxis]))


def palette() -> NDArray[np.uint8]:
    """256 colours, uint8 ``[256, 3]``, from near black over violet and orange to pale yellow.

    Equal steps look equal because they are equal steps of lightness in OKLab; hue and chroma only follow.
    Source: B. Ottosson, "A perceptual color space for image processing" (2020).
    """
    t = np.linspace(0.0, 1.0, _STEPS)
    lightness = 0.12 + 0.84 * t
    hue = math.radians(295) + math.radians(170) * t
    chroma = 0.165 * np.sin(math.pi * np.clip(0.08 + 0.86 * t, 0, 1))
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1)
    to_lms = np.array(
        [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.291485548]]
    )
    to_rgb = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.707614701],
        ]
    )
    linear = np.clip((lab @ to_lms.T) ** 3 @ to_rgb.T, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)  # IEC 61966-2-1
    palette: NDArray[np.uint8] = np.rint(encoded * 255).astype(np.uint8)
    return palette


def _png(colours: NDArray[np.uint8]) -> str:
    png = iio.imwrite("<bytes>", colours, extension=".png", plugin="pillow", optimize=True)
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
