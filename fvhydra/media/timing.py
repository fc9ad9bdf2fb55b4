# SPDX-License-Identifier: Apache-2.0
"""When the frames of a clip are shown: how many, how long, how fast, and whether the container promised more.

Headers do not tell. Matroska's nominal rate is not the average of a variable one, AVI counts ticks of a clock, MP4 adds
up the order of decoding. So packets are counted, which takes a hundredth of the time of decoding them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from fvhydra.core.errors import MediaError
from fvhydra.media.container import FETCH_AGAIN
from fvhydra.media.limits import MOST_FRAMES

_DECODING_ORDER = "avi"
"""Has no times of showing, only the order and a clock of ticks; some of them without a frame."""

_ABSOLUTE = ("matroska,webm", "flv")
"""Their duration is the end of the last frame counted from zero, also where the first frame comes later."""

_CLOCK = re.compile(r"([0-9]{1,4}):([0-9]{2}):([0-9]{2}(?:\.[0-9]{1,9})?)")


@dataclass(frozen=True)
class Timing:
    """The packets of a video stream that are to be shown.

    Attributes:
        frames: How many.
        duration_s: From the start of the first to the end of the last.
        rate: Frames a second, the average.
    """

    frames: int
    duration_s: Fraction
    rate: Fraction


def measure(path: Path, container: InputContainer, stream: VideoStream) -> Timing:
    """Read a stream to its end without decoding it.

    Raises:
        MediaError: Damaged, without frames or times, or of more than :data:`MOST_FRAMES`.
    """
    ordered = container.format.name == _DECODING_ORDER
    shown: list[tuple[int, int]] = []
    try:
        for packet in container.demux(stream):
            at = packet.dts if ordered or packet.pts is None else packet.pts
            if packet.size and not packet.is_discard and at is not None:
                shown.append((at, packet.duration or 0))
                check_frames(path, len(shown))
    except av.FFmpegError as error:
        raise MediaError(f"{path} is damaged ({error.strerror}).", FETCH_AGAIN) from error
    nominal = stream.average_rate or stream.guessed_rate
    if not shown or not nominal or not stream.time_base:
        raise MediaError(f"{path} has a video stream without frames, or does not say its rate.", FETCH_AGAIN)
    first, (last, length) = min(shown)[0], max(shown)
    gaps, tick = (last - first) * stream.time_base, stream.time_base
    end = length * tick if length and not ordered else gaps / (len(shown) - 1) if gaps else 1 / nominal
    duration = gaps + end
    # both ends are rounded to ticks; the nominal rate is exact where there is only one
    if abs(duration - len(shown) / nominal) <= 2 * tick:
        return Timing(len(shown), len(shown) / nominal, nominal)
    return Timing(len(shown), duration, len(shown) / duration)


def check_frames(path: Path, frames: int) -> None:
    """Refuse a clip without a sensible end.

    Raises:
        MediaError: It has more than :data:`MOST_FRAMES`.
    """
    if frames > MOST_FRAMES:
        raise MediaError(f"{path} has more than {MOST_FRAMES:,} frames; no more are read.")


def promised_end(container: InputContainer, stream: VideoStream | av.AudioStream) -> Fraction | None:
    """When the stream's last frame or sample ends, on the clock of its own times, as the container says; in seconds."""
    if container.format.name in _ABSOLUTE:
        whole = None if container.duration is None else Fraction(container.duration, av.time_base)
        if len(container.streams) == 1:
            return whole
        own = _clock(stream.metadata.get("DURATION", ""))
        # one that is longer than the file was copied from the file before
        return own if whole is not None and own is not None and own <= whole + Fraction(1, 1000) else None
    if container.format.name.startswith("mov") and stream.duration is not None and stream.time_base is not None:
        return ((stream.start_time or 0) + stream.duration) * stream.time_base
    return None


def _clock(text: str) -> Fraction | None:
    """Seconds of ``00:00:01.500000000``."""
    if found := _CLOCK.fullmatch(text):
        hours, minutes, seconds = map(Fraction, found.groups())
        return hours * 3600 + minutes * 60 + seconds
    return None
