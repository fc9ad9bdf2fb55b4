# SPDX-License-Identifier: Apache-2.0
"""How far the frames of a clip are from those of its reference, pixel by pixel: SSIM, MS-SSIM and PSNR.

All return one value a frame, so a clip may be given in chunks; the score of a clip is the mean over its frames.
"""

from __future__ import annotations

import math
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from fvhydra.metrics.functional.clips import Clip, require_pair
from fvhydra.metrics.functional.parity import Parity
from fvhydra.similarity.psnr import frame_psnr_db
from fvhydra.similarity.structure import StructuralSimilarity

Border = Literal["zero", "valid"]

_PEER_LEAST_MEAN_SQUARE = 1e-10
"""Of values in [0, 1]. Makes the PSNR of equal frames 100 dB in FastVideo's evaluation."""


def ssim(reference: Clip, generated: Clip, border: Border = "zero", window: int = 11) -> NDArray[np.float64]:
    """Structural similarity of each frame, mean over the colours; -1 to 1, higher is better, 1 for equal frames.

    With m, v and c the mean, variance and covariance under a Gaussian of sigma 1.5, and values in [0, 1]::

        SSIM = (2 m_x m_y + C1) (2 c + C2) / ((m_x^2 + m_y^2 + C1) (v_x + v_y + C2)),  C1 = 0.01^2, C2 = 0.03^2

    From Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004). FastVideo's
    ``common.ssim`` frames each picture with zeros and averages over all of it, which weighs the border: two frames of
    noise of 8x8 score 0.43. ``border="valid"`` averages where the window lies inside the frame, as the paper does.

    Args:
        reference: uint8 ``[T, H, W, 3]``.
        generated: uint8, of the same shape.
        border: ``zero`` for FastVideo's numbers, ``valid`` for the paper's and pytorch-msssim's.
        window: Side of the Gaussian, odd.

    Returns:
        float64 ``[T]``.

    Raises:
        ValueError: The clips are no clips or differ in shape, or ``border="valid"`` and frames smaller than the window.

    Example:
        >>> clip = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
        >>> ssim(clip, clip).round(6).tolist(), bool((ssim(clip, 255 - clip) < 0).all())
        ([1.0, 1.0], True)
    """
    require_pair(reference, generated)
    margin = window // 2 if border == "zero" else 0
    height, width = reference.shape[1:3]
    kernel = StructuralSimilarity(height + 2 * margin, width + 2 * margin, most_levels=1, window=window)
    values = []
    for pair in zip(reference, generated, strict=True):
        # the whole frame under zero padding is the valid region of the padded frame
        x, y = (cv2.copyMakeBorder(frame, margin, margin, margin, margin, cv2.BORDER_CONSTANT) for frame in pair)
        values.append(kernel(x, y, with_ssim=True).ssim)
    return np.asarray(values, np.float64)


def ms_ssim(reference: Clip, generated: Clip) -> NDArray[np.float64]:
    """Multi-scale structural similarity of each frame; 0 to 1, higher is better, 1 for equal frames.

    From Wang et al., "Multiscale structural similarity" (2003), with the values of pytorch-msssim. Frames whose smaller
    side is 160 or less have fewer than five scales: see :func:`fvhydra.similarity.structure.levels_that_fit`, and never
    compare values across them.

    Args:
        reference: uint8 ``[T, H, W, 3]``, at least 11x11.
        generated: uint8, of the same shape.

    Returns:
        float64 ``[T]``.

    Raises:
        ValueError: The clips are no clips, differ in shape, or are smaller than 11x11.

    Example:
        >>> clip = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
        >>> ms_ssim(clip, clip).round(6).tolist()
        [1.0, 1.0]
    """
    require_pair(reference, generated)
    kernel = StructuralSimilarity(*reference.shape[1:3])
    return np.asarray([kernel(*pair).ms_ssim for pair in zip(reference, generated, strict=True)], np.float64)


def psnr_db(reference: Clip, generated: Clip, largest: float = 1.0, parity: Parity = "upstream") -> NDArray[np.float64]:
    """Peak signal-to-noise ratio of each frame in dB, over all colours; higher is better, infinite for equal frames.

    ``10 log10(largest^2 / mean((x - y)^2))`` with values in [0, 1]. The score of a clip is the mean of the decibels of
    the frames that differ; a clip that equals its reference has none that is finite.

    Args:
        reference: uint8 ``[T, H, W, 3]``.
        generated: uint8, of the same shape.
        largest: The peak.
        parity: ``peer`` takes the mean of the squares to be 1e-10 or more, so that equal frames are 100 dB with a peak
            of 1, and dominate the mean of a clip.

    Returns:
        float64 ``[T]``.

    Raises:
        ValueError: The clips are no clips or differ in shape.

    Example:
        >>> clip = np.zeros((2, 8, 8, 3), np.uint8)
        >>> other = clip.copy()
        >>> other[1] = 51
        >>> psnr_db(clip, other).round(3).tolist()
        [inf, 13.979]
        >>> psnr_db(clip, other, parity="peer").round(3).tolist()
        [100.0, 13.979]
    """
    require_pair(reference, generated)
    values = np.asarray([frame_psnr_db(*pair, largest) for pair in zip(reference, generated, strict=True)])
    return np.minimum(values, 10 * math.log10(largest**2 / _PEER_LEAST_MEAN_SQUARE)) if parity == "peer" else values
