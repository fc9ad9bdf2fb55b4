"""SSIM and MS-SSIM of two frames, with the values of pytorch-msssim and without its memory.

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
_C1 = np.float32((0.01 * 255) ** 2)
_C2 = np.float32((0.03 * 255) ** 2)
_SIDE = 11
_HALF = _SIDE // 2
_STRIP_BYTES = 500_000
"""Size of one working buffer. Six of them stay in the second-level cache, which is worth more than the ten rows that
neighbouring strips filter twice."""


def _gaussian() -> Plane:
    """float32 taps, normalised in float64: a sum of 1 + e biases each variance by 2 e m^2, and e is 1e-9 this way."""
    taps = np.exp(-((np.arange(_SIDE) - _HALF) ** 2) / (2 * 1.5**2))
    return np.asarray(taps / taps.sum(), np.float32)


_TAPS = _gaussian()


def levels_that_fit(height: int, width: int) -> int:
    """How many scales of MS-SSIM a frame allows: 5 where the smaller side is above 160, 0 where it is below 11."""
    side, levels = min(height, width), 0
    while side >= _SIDE and levels < len(_WEIGHTS):
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
        height: Rows, at least 11.
        width: Columns, at least 11.

    Raises:
        ValueError: The frames are smaller than the window.
    """

    def __init__(self, height: int, width: int) -> None:
        self.levels = levels_that_fit(height, width)
        if self.levels == 0:
            raise ValueError(f"SSIM needs frames of at least {_SIDE}x{_SIDE}, not {height}x{width}")
        self._weights = _WEIGHTS[: self.levels, np.newaxis] * (_WEIGHTS.sum() / _WEIGHTS[: self.levels].sum())
        self._pyramid: list[tuple[Plane, Plane]] = []
        for _ in range(self.levels):
            self._pyramid.append((np.empty((height, width, 3), np.float32), np.empty((height, width, 3), np.float32)))
            height, width = (height + 1) // 2, (width + 1) // 2
        rows, columns, _ = self._pyramid[0][0].shape
        self._strip = min(rows, max(2 * _SIDE, _STRIP_BYTES // (columns * 12)) + _SIDE - 1) * columns
        self._buffers = [np.empty(self._strip * 3, np.float32) for _ in range(5)]

    def __call__(
        self, reference: NDArray[np.uint8], generated: NDArray[np.uint8], with_ssim: bool = False
    ) -> Structure:
        """Compare two frames, uint8 ``[H, W, 3]`` of the size given to the constructor."""
        total, change = self._pyramid[0]
        cv2.add(reference, generated, dst=total, dtype=cv2.CV_32F)
        total -= np.float32(256)
        cv2.subtract(reference, generated, dst=change, dtype=cv2.CV_32F)
        terms, ssim, last = [], None, self.levels - 1
        for level, (total, change) in enumerate(self._pyramid):
            contrast, structure = self._level(total, change, with_luminance=level == last or (with_ssim and level == 0))
            if level == 0 and with_ssim:
                ssim = float(structure.mean())
            terms.append(structure if level == last else contrast)
            if level < last:
                _halve(total, self._pyramid[level + 1][0], padding=-256)
                _halve(change, self._pyramid[level + 1][1], padding=0)
        return Structure(float(np.prod(np.maximum(terms, 0) ** self._weights, axis=0).mean()), ssim)

    def _level(self, total: Plane, change: Plane, with_luminance: bool) -> tuple[NDArray[np.float64], ...]:
        """Mean contrast-structure and SSIM (1 where not asked for) of one scale, float64 ``[3]`` each."""
        rows, columns, _ = total.shape
        step = self._strip // columns - (_SIDE - 1)
        contrast, structure = np.zeros(3), np.zeros(3)
        for top in range(0, rows - _SIDE + 1, step):
            strip = slice(top, min(top + step + _SIDE - 1, rows))
            lost_contrast, lost_structure = self._losses(total[strip], change[strip], with_luminance)
            contrast += lost_contrast
            structure += lost_structure
        count = (rows - _SIDE + 1) * (columns - _SIDE + 1)
        return 1 - contrast / count, 1 - structure / count

    def _losses(self, total: Plane, change: Plane, with_luminance: bool) -> tuple[NDArray[np.float64], ...]:
        """Sums of 1 - contrast and 1 - contrast * luminance over the valid region of a strip, float64 ``[3]`` each."""
        scratch, var_total, var_change, mean_total, mean_change = (
            buffer[: total.size].reshape(total.shape) for buffer in self._buffers
        )
        np.multiply(total, total, out=scratch)
        _blur(scratch, var_total)
        np.multiply(change, change, out=scratch)
        _blur(scratch, var_change)
        _blur(total, mean_total)
        _blur(change, mean_change)
        valid = slice(_HALF, -_HALF)
        square, vp, vm, mp, mm = (x[valid] for x in (scratch, var_total, var_change, mean_total, mean_change))

        np.multiply(mp, mp, out=square)
        vp -= square
        np.multiply(mm, mm, out=square)
        vm -= square
        vp += vm
        vp *= np.float32(0.5)
        vp += _C2
        np.divide(vm, vp, out=vm)  # 1 - contrast
        contrast = _sum(vm)
        if not with_luminance:
            return contrast, np.zeros(3)
        mp += np.float32(256)
        np.multiply(mp, mp, out=mp)
        mp += square
        mp *= np.float32(0.5)
        mp += _C1
        np.divide(square, mp, out=square)  # 1 - luminance
        np.multiply(square, vm, out=mp)
        square += vm
        square -= mp
        return contrast, _sum(square)


def _halve(plane: Plane, into: Plane, padding: float) -> None:
    """Average blocks of 2x2, with a row and a column of ``padding`` before the first ones where the size is odd."""
    rows, columns, _ = plane.shape
    if rows % 2 or columns % 2:
        border = (padding,) * 3
        plane = cv2.copyMakeBorder(plane, rows % 2, 0, columns % 2, 0, cv2.BORDER_CONSTANT, value=border)
    cv2.resize(plane, into.shape[1::-1], dst=into, interpolation=cv2.INTER_AREA)


def _blur(plane: Plane, into: Plane) -> None:
    # the border is never looked at; replicating is the cheapest way to fill it
    border = cv2.BORDER_REPLICATE | cv2.BORDER_ISOLATED
    cv2.sepFilter2D(plane, cv2.CV_32F, _TAPS, _TAPS, dst=into, borderType=border)


def _sum(values: Plane) -> NDArray[np.float64]:
    return np.array(cv2.sumElems(values[:, _HALF:-_HALF])[:3])
