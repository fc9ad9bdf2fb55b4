# SPDX-License-Identifier: Apache-2.0
"""SSIM and MS-SSIM in float64, written from the papers and from nothing of fvhydra's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float64]

TAPS = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
TAPS /= TAPS.sum()
WEIGHTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def blur(image: Image) -> Image:
    for axis in (0, 1):
        windows = np.lib.stride_tricks.sliding_window_view(image, 11, axis=axis)
        image = windows @ TAPS
    return image


def terms(x: Image, y: Image) -> tuple[Image, Image]:
    """Mean SSIM and mean contrast-structure of each channel."""
    mx, my = blur(x), blur(y)
    vx, vy, cov = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
    contrast = (2 * cov + C2) / (vx + vy + C2)
    luminance = (2 * mx * my + C1) / (mx * mx + my * my + C1)
    return (contrast * luminance).mean((0, 1)), contrast.mean((0, 1))


def halve(image: Image) -> Image:
    """2x2 means; an odd side gets a line of zeros in front, as in avg_pool2d(padding=size % 2)."""
    image = np.pad(image, ((image.shape[0] % 2, 0), (image.shape[1] % 2, 0), (0, 0)))
    return (image[::2, ::2] + image[1::2, ::2] + image[::2, 1::2] + image[1::2, 1::2]) / 4


def ssim(x: NDArray[np.uint8], y: NDArray[np.uint8]) -> float:
    return float(terms(x.astype(np.float64), y.astype(np.float64))[0].mean())


def ms_ssim(x: NDArray[np.uint8], y: NDArray[np.uint8], levels: int) -> float:
    a, b = x.astype(np.float64), y.astype(np.float64)
    weights = WEIGHTS[:levels] / WEIGHTS[:levels].sum() * WEIGHTS.sum()
    product = np.ones(3)
    for level, weight in enumerate(weights):
        structure, contrast = terms(a, b)
        product *= np.maximum(structure if level == levels - 1 else contrast, 0) ** weight
        a, b = halve(a), halve(b)
    return float(product.mean())
