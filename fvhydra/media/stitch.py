# SPDX-License-Identifier: Apache-2.0
"""Clips to one video, without encoding their pictures again where their streams allow it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
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
    with av.open(target, "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream: VideoStream | None = None
        extradata: bytes | None = None
        begin, last_dts = Fraction(0), None
        for part in parts:
            with opened_video(part.path) as (source, video):
                if stream is None:
                    stream, extradata = container.add_stream_from_template(video), video.codec_context.extradata
                    if audio is not None:
                        mux_audio(container, audio, rate)
                if video.codec_context.extradata != extradata or video.time_base is None:
                    raise _NotAlike
                packets = _kept([packet for packet in source.demux(video) if packet.size], part.skip)
                begin, last_dts = _append(container, stream, packets, video.time_base, begin, last_dts)


def _kept(packets: list[Packet[VideoStream]], skip: int) -> list[Packet[VideoStream]]:
    """The packets, in the order of decoding, that the frames after the first ``skip`` consist of.

    Raises:
        _NotAlike: One of them needs what is left out.
    """
    kept = packets[skip:]
    if any(packet.pts is None or packet.dts is None or not packet.duration for packet in packets):
        raise _NotAlike
    left_out = max((packet.pts or 0 for packet in packets[:skip]), default=None)
    if kept and not (kept[0].is_keyframe and kept[0].pts == min(packet.pts or 0 for packet in kept)):
        raise _NotAlike
    if kept and left_out is not None and left_out >= (kept[0].pts or 0):
        raise _NotAlike
    return kept


def _append(
    container: OutputContainer,
    stream: VideoStream,
    packets: Sequence[Packet[VideoStream]],
    time_base: Fraction,
    begin: Fraction,
    last_dts: Fraction | None,
) -> tuple[Fraction, Fraction | None]:
    """Write packets so that the first is shown at ``begin``, s; when the last one ends, and when it is decoded."""
    if not packets:
        return begin, last_dts
    shift = round(begin / time_base) - (packets[0].pts or 0)
    first_dts = ((packets[0].dts or 0) + shift) * time_base
    if last_dts is not None and first_dts <= last_dts:
        raise _NotAlike
    end = begin
    for packet in packets:
        packet.pts, packet.dts = (packet.pts or 0) + shift, (packet.dts or 0) + shift
        packet.time_base, packet.stream = time_base, stream
        end = max(end, (packet.pts + (packet.duration or 0)) * time_base)
        last_dts = packet.dts * time_base
        container.mux_one(packet)
    return end, last_dts


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
