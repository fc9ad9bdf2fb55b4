# SPDX-License-Identifier: Apache-2.0
"""The peak signal-to-noise ratio of two frames: the one definition, for checks and for evaluations."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray


def frame_psnr_db(reference: NDArray[np.uint8], generated: NDArray[np.uint8], largest: float = 1.0) -> float:
    """``10 log10(largest^2 / mean((x - y)^2))`` in dB, over all colours, of values in [0, 1]; infinite for equals.

    Args:
        reference: uint8 ``[H, W, 3]``.
        generated: uint8, of the same shape.
        largest: The peak, of values in [0, 1].

    Returns:
        Higher is better. JSON holds no infinity: whoever writes it down writes null, counts it in no mean and says so.

    Example:
        >>> black = np.zeros((2, 2, 3), np.uint8)
        >>> frame_psnr_db(black, black), round(frame_psnr_db(black, black + np.uint8(255)), 2)
        (inf, 0.0)
    """
    mean_square = cv2.norm(reference, generated, cv2.NORM_L2SQR) / (reference.size * 255**2)
    return 10 * math.log10(largest**2 / mean_square) if mean_square else math.inf
