# SPDX-License-Identifier: Apache-2.0
"""Clips: files of the formats that are in use, GIFs and folders of numbered pictures, to RGB frames.

Files go through PyAV, whose wheels bring their own FFmpeg, so no binary is looked for. Decoding is strict: a file that
is cut off or damaged raises, because frames that are silently missing or concealed would be compared as if an engine
had produced them. (Changed bytes that still are a legal stream cannot be seen here; stores verify hashes.)
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path

import av
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from fvhydra.core.errors import MediaError
from fvhydra.media.colour import ToRgb
from fvhydra.media.container import FETCH_AGAIN, opened_video
from fvhydra.media.encode import encode as encode
from fvhydra.media.frame_folder import frame_paths, read_frames
from fvhydra.media.orientation import upright as turned
from fvhydra.media.picture import Frame as Frame
from fvhydra.media.picture import read_image as read_image
from fvhydra.media.timing import check_frames, measure, promised_end

_RATE_TOLERANCE = 0.005


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a clip without decoding it.

    Attributes:
        frames: Number of frames that are to be shown. Damaged files have fewer: whoever needs the truth counts what
            :func:`decode` yields.
        height: Rows.
        width: Columns.
        fps: Frames a second, the average over the clip.
        codec: FFmpeg's name of the codec, for example ``h264``.
        pix_fmt: FFmpeg's name of the pixel format, for example ``yuv420p``.
        has_audio: Whether there is an audio stream.
        duration_s: From the start of the first frame to the end of the last, in seconds.
        decoder: What :func:`decode` uses, for the provenance of numbers.
    """

    frames: int
    height: int
    width: int
    fps: float
    codec: str
    pix_fmt: str
    has_audio: bool
    duration_s: float
    decoder: str


def same_rate(rate: float, other: float) -> bool:
    """Whether two frame rates are one: they differ by less than 0.5 %.

    Frames are compared by their index, so what matters is whether frame ``i`` of both is of the same moment.

    - 24 and 24000/1001 are one rate. They differ by 0.1 %, a frame in 40 seconds; and no less can be told apart:
      Matroska and FLV keep times in milliseconds, so the average of a clip of one second is only known to 0.1 %, and
      remuxing a clip must not make it another.
    - 24 and 25 are two, by 4 %: a frame in one second. No rates in use are closer without being the same.

    An engine that is asked for another rate has another recipe, which is compared before any number.
    """
    return abs(rate - other) < _RATE_TOLERANCE * max(rate, other)


def probe(path: Path, fps: float | None = None) -> VideoInfo:
    """Describe a video without decoding it. Its packets are counted: headers are not true of every clip.

    Args:
        path: A file, or a folder of numbered frames.
        fps: Frames a second of a folder of frames; files say theirs themselves.

    Raises:
        MediaError: Missing, empty, cut off, damaged, without a video stream, of a format that is not read, or a folder
            of frames whose rate is not given.
    """
    if path.is_dir():
        return _probe_folder(path, fps)
    with opened_video(path) as (container, stream):
        timing = measure(path, container, stream)
        return VideoInfo(
            frames=timing.frames,
            height=stream.height,
            width=stream.width,
            fps=float(timing.rate),
            codec=stream.codec_context.name,
            pix_fmt=stream.codec_context.pix_fmt or "unknown",
            has_audio=bool(container.streams.audio),
            duration_s=float(timing.duration_s),
            decoder=f"pyav {av.__version__}",
        )


def _probe_folder(folder: Path, fps: float | None) -> VideoInfo:
    paths = frame_paths(folder)
    if fps is None or not (math.isfinite(fps) and fps > 0):
        known = "is not known" if fps is None else f"must be above 0, not {fps}"
        raise MediaError(f"{folder} is a folder of frames, whose rate {known}: give op.fps=24, or fps in the manifest.")
    height, width, _ = read_image(paths[0]).shape
    kind, duration_s = paths[0].suffix.lower().removeprefix("."), len(paths) / fps
    return VideoInfo(len(paths), height, width, fps, kind, "rgb24", False, duration_s, f"pillow {version('pillow')}")


def decode(path: Path, upright: bool = False) -> Generator[Frame, None, None]:
    """Yield the frames of a video in order, uint8 ``[H, W, 3]`` RGB; memory does not grow with its length.

    Args:
        path: A file, or a folder of numbered frames.
        upright: Turn and mirror frames as the container's display matrix says, and as players do; ``H`` and ``W`` may
            then be swapped. Otherwise frames are as they were coded. Pictures of a folder are turned by their EXIF
            orientation.

    Raises:
        MediaError: Missing, empty, damaged, interlaced, without a video stream, too large, or of a format that is not
            read. A file that is cut off raises after its last whole frame; it never just ends early.
    """
    if path.is_dir():
        yield from read_frames(path)
        return
    frames = discarded = 0
    begin = end = Fraction(0)
    size: tuple[int, int] | None = None  # the stream's own changes with its frames
    to_rgb = ToRgb()
    with opened_video(path) as (container, stream):
        # FFmpeg's threads work on slices of one frame, PyAV's default. On several frames at a time (thread_type AUTO)
        # they are quicker, and lose errors: of 3,600 changed clips five were told otherwise, a damaged one as whole
        try:
            for packet in container.demux(stream):
                discarded += packet.is_discard  # before or after an edit list's window
                for frame in packet.decode():
                    size = size or (frame.width, frame.height)
                    _check_whole(path, frame, size, frames)
                    begin = _time(frame) if frames == 0 else begin
                    end = max(end, _time(frame) + _length(frame, stream))
                    frames += 1
                    check_frames(path, frames)
                    rgb = to_rgb(frame)
                    yield turned(rgb, frame) if upright else rgb
        except av.FFmpegError as error:
            raise MediaError(f"{path} is damaged after {frames} frames ({error.strerror}).", FETCH_AGAIN) from error
        if frames == 0:
            raise MediaError(f"{path} has a video stream without frames.", FETCH_AGAIN)
        counted = bool(stream.frames) and frames + discarded >= stream.frames
        promised = promised_end(container, stream)
        # a cut between two samples decodes without any error. Neither promise is enough alone: the count includes
        # frames that an edit list removes, and a duration may be rounded up
        if not counted and promised is not None and promised - end > (end - begin) / frames / 2:
            raise MediaError(f"{path} is cut off after {frames} frames.", FETCH_AGAIN)


def last_frame(path: Path) -> Frame:
    """The last frame of a video, uint8 ``[H, W, 3]`` RGB.

    Raises:
        MediaError: As :func:`decode`, which this runs to the end: seeking would trust the container's index.
    """
    last: Frame
    for last in decode(path):  # noqa: B007  decode yields at least one frame or raises
        pass
    return last


def _check_whole(path: Path, frame: VideoFrame, size: tuple[int, int], index: int) -> None:
    if frame.is_corrupt or (frame.width, frame.height) != size:
        raise MediaError(f"{path} is damaged at frame {index}.", FETCH_AGAIN)
    if frame.interlaced_frame:
        raise MediaError(
            f"{path} is interlaced at frame {index}: two moments in one picture, which no metric expects.",
            "Make frames of its fields (ffmpeg -i IN -vf bwdif OUT), or, if it only says so, -vf setfield=prog.",
        )


def _time(frame: VideoFrame) -> Fraction:
    """When the frame is shown, in seconds on the clock of its stream."""
    return Fraction(0) if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base


def _length(frame: VideoFrame, stream: VideoStream) -> Fraction:
    known = frame.duration * frame.time_base if frame.time_base else Fraction(0)
    return known or 1 / (stream.average_rate or Fraction(1))
