# SPDX-License-Identifier: Apache-2.0
"""Clips to one video, without encoding their pictures again where their streams allow it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from fvhydra.core.errors import MediaError
from fvhydra.core.files import atomic_path
from fvhydra.media.audio import has_sound, read_audio
from fvhydra.media.container import opened_video
from fvhydra.media.encode import QUALITY, mux_audio, write_mp4
from fvhydra.media.picture import Frame
from fvhydra.media.video import VideoInfo, decode, probe, same_rate

BY = f"PyAV {av.__version__} (FFmpeg {av.ffmpeg_version_info})"
"""What joins, for the record."""


@dataclass(frozen=True)
class Part:
    """A clip of the whole.

    Attributes:
        path: The file.
        skip: Frames at its start that are left out.
    """

    path: Path
    skip: int = 0


@dataclass(frozen=True)
class Joined:
    """What was joined.

    Attributes:
        frames: Frames of the whole, counted while decoding it.
        fps: Frames a second.
        pictures: ``copied`` as they were encoded, or ``encoded`` again.
        sound: ``encoded``, or None where no clip has any.
        by: What joined them, with its version.
    """

    frames: int
    fps: float
    pictures: str
    sound: str | None
    by: str = BY


class _NotAlike(Exception):
    """Streams that cannot follow each other as they are."""


def stitch(path: Path, parts: Sequence[Part]) -> Joined:
    """Join clips in their order, at the rate that they share.

    Pictures are copied as they were encoded when all streams have the same parameters and the first frame that is kept
    of each can be decoded by itself; else they are decoded and encoded again. Sound is always decoded, cut to the
    frames that are kept, and encoded once, since what an AAC encoder puts around its blocks would be heard as gaps; a
    clip without any is silent.

    Args:
        path: The ``.mp4`` to write, atomically.
        parts: At least one.

    Raises:
        MediaError: A clip is missing or damaged; sizes, rates or sounds differ; or the whole does not have the frames
            that its parts have.
        UsageError: It cannot be written.
    """
    infos = [probe(part.path) for part in parts]
    _check_alike(parts, infos)
    wanted = [max(info.frames - part.skip, 0) for part, info in zip(parts, infos, strict=True)]
    audio, rate = _sound(parts, wanted, infos[0].fps)
    pictures = "copied"
    try:
        with atomic_path(path, suffix=".mp4") as temporary:
            _copy(temporary, parts, audio, rate)
    except _NotAlike:
        pictures = "encoded"
        size = (infos[0].height, infos[0].width)
        write_mp4(path, _frames(parts), size, infos[0].fps, QUALITY, audio, rate)
    found = sum(1 for _ in decode(path))
    if found != sum(wanted):
        raise MediaError(f"{path} has {found} frames, and its clips have {sum(wanted)} together.")
    return Joined(found, infos[0].fps, pictures, None if audio is None else "encoded")


def _check_alike(parts: Sequence[Part], infos: Sequence[VideoInfo]) -> None:
    first = infos[0]
    for part, info in zip(parts, infos, strict=True):
        if (info.height, info.width) != (first.height, first.width) or not same_rate(info.fps, first.fps):
            raise MediaError(
                f"{part.path} has {info.height}x{info.width} at {info.fps:g} fps, and {parts[0].path} "
                f"{first.height}x{first.width} at {first.fps:g}; clips of one video must be alike."
            )


def _frames(parts: Sequence[Part]) -> Iterator[Frame]:
    for part in parts:
        for index, frame in enumerate(decode(part.path)):
            if index >= part.skip:
                yield frame


# ---------------------------------------------------------------------------------------------------------- as it is
def _copy(target: Path, parts: Sequence[Part], audio: NDArray[np.float32] | None, rate: int | None) -> None:
    """Write the packets of all parts one after the other.

    Raises:
        _NotAlike: They cannot follow each other.
    """
    orders = [_order(part) for part in parts]
    late = max((at - rank for order in orders for at, rank in enumerate(order)), default=0)
    with av.open(target, "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream: VideoStream | None = None
        like: tuple[bytes | None, Fraction | None, int | None] | None = None
        before = 0
        for part, order in zip(parts, orders, strict=True):
            with opened_video(part.path) as (source, video):
                packets = _packets(source, video)[part.skip :]
                if stream is None:
                    stream = container.add_stream_from_template(video)
                    if audio is not None:
                        mux_audio(container, audio, rate)
                for at, (packet, rank) in enumerate(zip(packets, order, strict=True)):
                    like = like or (video.codec_context.extradata, video.time_base, packet.duration)
                    if like != (video.codec_context.extradata, video.time_base, packet.duration):
                        raise _NotAlike
                    length = packet.duration or 0
                    # decoded as late as the part with the most frames out of order needs it, all of them evenly
                    packet.pts, packet.dts = (before + rank) * length, (before + at - late) * length
                    packet.stream = stream
                    container.mux_one(packet)
            before += len(order)


def _packets(source: InputContainer, video: VideoStream) -> list[Packet[VideoStream]]:
    return [packet for packet in source.demux(video) if packet.size]


def _order(part: Part) -> list[int]:
    """Which frame of those that are kept each packet is, in the order of decoding.

    Raises:
        _NotAlike: One of them needs what is left out, or they are not shown at even times.
    """
    with opened_video(part.path) as (source, video):
        packets = _packets(source, video)
    kept, left_out = packets[part.skip :], packets[: part.skip]
    if not kept:
        return []
    begin, length = kept[0].pts, kept[0].duration
    if begin is None or not length or not kept[0].is_keyframe:
        raise _NotAlike
    if any(packet.pts is None or packet.pts >= begin for packet in left_out):
        raise _NotAlike
    ranks = [((packet.pts or 0) - begin) // length for packet in kept]
    even = all(packet.pts == begin + rank * length for packet, rank in zip(kept, ranks, strict=True))
    if not even or sorted(ranks) != list(range(len(kept))):
        raise _NotAlike
    return ranks


# ------------------------------------------------------------------------------------------------------------- sound
def _sound(parts: Sequence[Part], wanted: Sequence[int], fps: float) -> tuple[NDArray[np.float32] | None, int | None]:
    """The sound of the frames that are kept, float32 ``[C, N]``, and its rate; None where no clip has any."""
    recordings = [read_audio(part.path) if has_sound(part.path) else None for part in parts]
    heard = [recording for recording in recordings if recording is not None]
    if not heard:
        return None, None
    rate, channels = heard[0].rate, heard[0].samples.shape[0]
    if any((recording.rate, recording.samples.shape[0]) != (rate, channels) for recording in heard):
        raise MediaError("The clips have sounds of different rates or channels, and cannot be joined.")
    whole = np.zeros((channels, round(sum(wanted) / fps * rate)), np.float32)
    begin = 0
    for part, frames, recording in zip(parts, wanted, recordings, strict=True):
        at, until = (round(count / fps * rate) for count in (begin, begin + frames))
        if recording is not None:
            skipped = round(part.skip / fps * rate)
            piece = recording.samples[:, skipped : skipped + until - at]
            whole[:, at : at + piece.shape[1]] = piece
        begin += frames
    return whole, rate
