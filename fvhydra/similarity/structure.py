# SPDX-License-Identifier: Apache-2.0
"""SSIM and MS-SSIM of two frames, with the values of pytorch-msssim in less memory.

The formulas are those of Wang et al., "Image quality assessment: from error visibility to structural similarity"
(2004) and "Multiscale structural similarity" (2003), with the choices of pytorch-msssim 1.0: an 11x11 Gaussian of sigma
1.5 over the valid region, K = (0.01, 0.03), range 255, zero padding of odd sizes before each 2x2 mean, negative terms
set to 0, one value a channel and their mean.

They are computed from P = x + y - 256 and M = x - y rather than from x and y. With m and v the filtered mean and
variance, and s = mP + 256::

    1 - contrast  = vM / ((vP + vM) / 2 + C2)
    1 - luminance = mM^2 / ((s^2 + mM^2) / 2 + C1)

which takes four filters instead of five, and keeps float32 exact where it matters: near 1, both are a small number that
is not the difference of two large ones. Against the formulas in float64 the values are right to 3e-6; pytorch-msssim's
own float32 is off by up to 3e-5, on frames that are nearly white and flat.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

_WEIGHTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2
_SIDE = 11


def _gaussian(side: int) -> Plane:
    """float32 taps, normalised in float64: a sum of 1 + e biases each variance by 2 e m^2, and e is 1e-9 this way."""
    taps = np.exp(-((np.arange(side) - side // 2) ** 2) / (2 * 1.5**2))
    return np.asarray(taps / taps.sum(), np.float32)


def levels_that_fit(height: int, width: int, window: int = _SIDE) -> int:
    """How many scales of MS-SSIM a frame allows: 5 where the smaller side is above 160, 0 where it is below 11."""
    side, levels = min(height, width), 0
    while side >= window and levels < len(_WEIGHTS):
        side, levels = (side + 1) // 2, levels + 1
    return levels


@dataclass(frozen=True)
class Structure:
    """Similarity of two frames, 1 for equal ones. ``ssim`` is None where it was not asked for."""

    ms_ssim: float
    ssim: float | None


class StructuralSimilarity:
    """Compares frames of one size, in one thread at a time: the buffers are kept between frames.

    Frames whose smaller side is 160 or less do not have five scales. They are compared on as many as fit, with the
    first weights scaled to the total of all five; ``levels`` says how many, and values of different levels must not be
    mixed. pytorch-msssim refuses such frames.

    Args:
        height: Rows, at least ``window``.
        width: Columns, at least ``window``.
        most_levels: 1 where only SSIM is wanted: the other scales would be a third of the work.
        window: Side of the Gaussian, odd. Only SSIM is ever computed with another one than 11.
        margin: SSIM is taken over the frame with so many black pixels around it; MS-SSIM still over the frame alone, of
            the same filtered planes, so that both together cost little more than one.

    Raises:
        ValueError: The frames are smaller than the window.
    """

    def __init__(
        self, height: int, width: int, most_levels: int = len(_WEIGHTS), window: int = _SIDE, margin: int = 0
    ) -> None:
        self.levels = min(levels_that_fit(height, width, window), most_levels)
        if self.levels == 0:
            raise ValueError(f"SSIM needs frames of at least {window}x{window}, not {height}x{width}")
        self._taps = _gaussian(window)
        self._weights = _WEIGHTS[: self.levels] * (_WEIGHTS.sum() / _WEIGHTS[: self.levels].sum())
        self._colours = [[np.empty((height, width), np.uint8) for _ in range(3)] for _ in range(2)]
        self._margin = margin
        framed = height + 2 * margin, width + 2 * margin
        self._framed = np.full(framed, -256, np.float32), np.zeros(framed, np.float32)  # P and M of black pixels
        inside = slice(margin, margin + height), slice(margin, margin + width)
        self._pyramid: list[tuple[Plane, Plane]] = [(self._framed[0][inside], self._framed[1][inside])]
        for _ in range(1, self.levels):
            height, width = (height + 1) // 2, (width + 1) // 2
            self._pyramid.append((np.empty((height, width), np.float32), np.empty((height, width), np.float32)))
        self._buffers = [np.empty(self._framed[0].size, np.float32) for _ in range(5)]

    def __call__(
        self, reference: NDArray[np.uint8], generated: NDArray[np.uint8], with_ssim: bool = False
    ) -> Structure:
        """Compare two frames, uint8 ``[H, W, 3]`` of the size given to the constructor."""
        # one colour at a time: OpenCV is faster on plain planes, and the buffers are a third of the size
        for frame, planes in zip((reference, generated), self._colours, strict=True):
            cv2.split(frame, planes)
        values = [self._colour(x, y, with_ssim) for x, y in zip(*self._colours, strict=True)]
        ms_ssim, ssim = np.mean(values, axis=0)
        return Structure(float(ms_ssim), float(ssim) if with_ssim else None)

    def _colour(self, x: NDArray[np.uint8], y: NDArray[np.uint8], with_ssim: bool) -> tuple[float, float]:
        """MS-SSIM and SSIM (1 where not asked for) of two planes."""
        total, change = self._pyramid[0]
        cv2.addWeighted(x, 1, y, 1, -256, dst=total, dtype=cv2.CV_32F)
        cv2.subtract(x, y, dst=change, dtype=cv2.CV_32F)
        ms_ssim, ssim, last = 1.0, 1.0, self.levels - 1
        for level, (total, change) in enumerate(self._pyramid):
            planes, margin = (self._framed, self._margin) if level == 0 else ((total, change), 0)
            lost = self._lost(*planes, with_luminance=level == last or (with_ssim and level == 0))
            term = self._similarity(lost, margin) if level == last else 1 - 2 * self._mean(lost[0], margin)
            ms_ssim *= max(term, 0.0) ** self._weights[level]
            if level == 0 and with_ssim:
                ssim = self._similarity(lost, 0) if last or margin else term
            if level < last:
                _halve(total, self._pyramid[level + 1][0], padding=-256)
                _halve(change, self._pyramid[level + 1][1], padding=0)
        return ms_ssim, ssim

    def _lost(self, total: Plane, change: Plane, with_luminance: bool) -> list[Plane]:
        """Half of 1 - contrast of one scale, and, where asked for, half of 1 - luminance and the product of both."""
        square, neg_var_total, neg_var_change, mean_total, mean_change = (
            buffer[: total.size].reshape(total.shape) for buffer in self._buffers
        )
        self._blur(total, mean_total)
        self._blur(change, mean_change)
        # negated, so that the squared mean is subtracted by accumulateSquare: one pass over memory instead of two
        np.square(total, out=square)
        self._blur(square, neg_var_total, sign=-1, offset=-2 * _C2)
        cv2.accumulateSquare(mean_total, neg_var_total)
        np.square(change, out=square)
        self._blur(square, neg_var_change, sign=-1)
        cv2.accumulateSquare(mean_change, neg_var_change)

        neg_var_total += neg_var_change
        lost_contrast = np.divide(neg_var_change, neg_var_total, out=neg_var_change)
        if not with_luminance:
            return [lost_contrast]
        np.square(mean_change, out=square)
        mean_total += np.float32(256)
        np.square(mean_total, out=mean_total)
        mean_total += square
        mean_total += np.float32(2 * _C1)
        lost_luminance = np.divide(square, mean_total, out=square)
        return [lost_contrast, lost_luminance, np.multiply(lost_contrast, lost_luminance, out=mean_total)]

    def _similarity(self, lost: list[Plane], margin: int) -> float:
        """Mean SSIM: 1 - (1 - 2a)(1 - 2b) = 2 (a + b - 2ab)."""
        contrast, luminance, both = (self._mean(plane, margin) for plane in lost)
        return 1 - 2 * (contrast + luminance - 2 * both)

    def _blur(self, plane: Plane, into: Plane, sign: int = 1, offset: float = 0) -> None:
        # the border is never looked at; replicating is the cheapest way to fill it
        border = cv2.BORDER_REPLICATE | cv2.BORDER_ISOLATED
        cv2.sepFilter2D(plane, cv2.CV_32F, sign * self._taps, self._taps, dst=into, delta=offset, borderType=border)

    def _mean(self, values: Plane, margin: int) -> float:
        """Over the region where the whole window lies inside the frame, ``margin`` pixels inside of ``values``."""
        outside = len(self._taps) // 2 + margin
        valid = values[outside:-outside, outside:-outside]
        return float(cv2.sumElems(valid)[0]) / valid.size


def _halve(plane: Plane, into: Plane, padding: float) -> None:
    """Average blocks of 2x2, with a row and a column of ``padding`` before the first ones where the size is odd."""
    rows, columns = plane.shape
    if rows % 2 or columns % 2:
        plane = cv2.copyMakeBorder(plane, rows % 2, 0, columns % 2, 0, cv2.BORDER_CONSTANT, value=padding)
    cv2.resize(plane, into.shape[::-1], dst=into, interpolation=cv2.INTER_AREA)
