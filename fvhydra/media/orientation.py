# SPDX-License-Identifier: Apache-2.0
"""Turning and mirroring frames as a container's display matrix says."""

from __future__ import annotations

import math
import struct
from typing import cast

import numpy as np
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from fvhydra.core.errors import MediaError

_TOLERANCE = 0.01


def upright(rgb: NDArray[np.uint8], frame: VideoFrame) -> NDArray[np.uint8]:
    """The picture as players show it.

    The matrix takes a point of the coded frame to where it is shown: ``x' = a x + c y``, ``y' = b x + d y`` (ISO/IEC
    14496-12, 6.2.2). All eight ways to turn by quarters and to mirror are honoured; scales, which are the player's
    business, are not.

    Args:
        rgb: uint8 ``[H, W, 3]``, as coded.
        frame: What it was decoded from.

    Returns:
        uint8 ``[H, W, 3]`` or ``[W, H, 3]``, a view.

    Raises:
        MediaError: The matrix turns by an angle that is no quarter, or shears.
    """
    data = cast("SideData | None", frame.side_data.get("DISPLAYMATRIX"))
    if data is None:
        return rgb
    a, b, _, c, d, _ = struct.unpack_from("=6i", data)
    straight, crosswise = math.hypot(a, d), math.hypot(b, c)
    if not straight and not crosswise:  # an empty matrix says nothing
        return rgb
    if min(straight, crosswise) > _TOLERANCE * max(straight, crosswise) or not ((a and d) or (b and c)):
        angle = math.degrees(math.atan2(b, a))
        raise MediaError(
            f"The container turns its frames by {angle:.0f} degrees; only quarters and mirror images can be honoured.",
            "Turn the clip itself: ffmpeg -i IN OUT applies the turn.",
        )
    if crosswise > straight:
        rgb, across, down = rgb.swapaxes(0, 1), c, b
    else:
        across, down = a, d
    return rgb[:: 1 if down > 0 else -1, :: 1 if across > 0 else -1]
