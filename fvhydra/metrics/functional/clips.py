# SPDX-License-Identifier: Apache-2.0
"""Checks of the arrays that the functions on clips are given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Clip = NDArray[np.uint8]
"""uint8 ``[T, H, W, 3]``, RGB."""


def require_clip(clip: Clip, name: str, least_frames: int = 1) -> None:
    """Check that an array is a clip.

    Raises:
        ValueError: ``clip`` is not uint8 ``[T, H, W, 3]``, is empty, or has fewer than ``least_frames`` frames.

    Example:
        >>> require_clip(np.zeros((2, 8, 8), np.uint8), "video")
        Traceback (most recent call last):
            ...
        ValueError: video must be uint8 [T, H, W, 3], not uint8 [2, 8, 8]
    """
    if clip.dtype != np.uint8 or clip.ndim != 4 or clip.shape[-1] != 3 or 0 in clip.shape[1:]:
        raise ValueError(f"{name} must be uint8 [T, H, W, 3], not {clip.dtype} {list(clip.shape)}")
    if len(clip) < least_frames:
        raise ValueError(f"{name} needs {least_frames} frames or more, not {len(clip)}")


def require_pair(reference: Clip, generated: Clip) -> None:
    """Check that two arrays are clips of one length and size.

    Raises:
        ValueError: One of the two is no clip, or their shapes differ.

    Example:
        >>> require_pair(np.zeros((2, 8, 8, 3), np.uint8), np.zeros((3, 8, 8, 3), np.uint8))
        Traceback (most recent call last):
            ...
        ValueError: the clips differ in shape: [2, 8, 8, 3] and [3, 8, 8, 3]
    """
    require_clip(reference, "reference")
    require_clip(generated, "generated")
    if reference.shape != generated.shape:
        raise ValueError(f"the clips differ in shape: {list(reference.shape)} and {list(generated.shape)}")
