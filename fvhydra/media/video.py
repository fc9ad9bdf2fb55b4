# SPDX-License-Identifier: Apache-2.0
"""Videos: RGB frames to H.264, and back from the formats that are in use.

Both directions go through PyAV, whose wheels bring their own FFmpeg, so no binary is looked for. Decoding is strict:
a file that is cut off or damaged raises, because frames that are silently missing or concealed would be compared as if
an engine had produced them. (Changed bytes that still are a legal stream cannot be seen here; stores verify hashes.)
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from fvhydra.core.errors import MediaError
from fvhydra.core.files import atomic_path
from fvhydra.media.colour import ToRgb
from fvhydra.media.container import FETCH_AGAIN, opened_video
from fvhydra.media.frame_folder import frame_paths, read_frames
from fvhydra.media.orientation import upright as turned
from fvhydra.media.picture import Frame as Frame
from fvhydra.media.picture import read_image as read_image
from fvhydra.media.timing import check_frames, measure, promised_end

_DECODING_THREADS = 4

_CRF = 10
"""x264's constant quality, 0 (lossless) to 51. Measured on noise, textures and gradients: at 10 a frame's MS-SSIM is
within 0.005 of what lossless 4:2:0 keeps, so a gate at 0.93 is spent on the engine and not on the codec; at 18, called
visually lossless, it falls up to 0.03 below."""

_DETERMINISTIC = "mbtree=0"
"""x264's macroblock tree looks at memory that it never wrote: with it, equal noisy frames became other bytes in one
process of ten."""

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


def encode(
    path: Path,
    frames: NDArray[np.uint8],
    fps: float,
    audio: NDArray[np.float32] | None = None,
    audio_rate: int | None = None,
) -> None:
    """Write an ``.mp4`` that every browser plays: H.264 4:2:0 in BT.709, AAC, index first.

    Equal input gives equal bytes (same PyAV build): one encoder thread, no dates in the container.

    Args:
        path: The file to write, atomically. Its name should end in ``.mp4``.
        frames: uint8 ``[T, H, W, 3]``, RGB, full range. ``H`` and ``W`` must be even: 4:2:0 halves both, and padding
            would hand back other sizes than the engine produced.
        fps: Frames a second.
        audio: float32 ``[C, N]`` in [-1, 1], one or two channels.
        audio_rate: Samples a second; one of AAC's rates (16000, 44100, 48000, ...).

    Raises:
        MediaError: Sizes, frame rate or audio that cannot be encoded.
        ValueError: ``frames`` is not uint8 ``[T, H, W, 3]``.
        UsageError: The file cannot be written.
    """
    _check_encodable(path, frames, fps)
    with atomic_path(path, suffix=".mp4") as temporary:
        try:
            with av.open(temporary, "w", format="mp4", options={"movflags": "+faststart"}) as container:
                video = _add_video(container, frames, fps)
                if audio is not None:
                    _mux_audio(container, audio, audio_rate)
                _mux_video(container, video, frames)
        except av.FFmpegError as error:
            if isinstance(error, OSError):  # a full disk is explained by atomic_path
                raise
            raise MediaError(f"Cannot encode {path}: {error}.") from error


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
        raise MediaError(
            f"{folder} is a folder of frames, whose rate is {'not known' if fps is None else fps}; it must be above 0.",
            "Give it as op.fps=24, or as fps in the manifest.",
        )
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
    to_rgb = ToRgb()
    with opened_video(path) as (container, stream):
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = _DECODING_THREADS
        try:
            for packet in container.demux(stream):
                discarded += packet.is_discard  # before or after an edit list's window
                for frame in packet.decode():
                    _check_whole(path, frame, stream, frames)
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


def _check_encodable(path: Path, frames: NDArray[np.uint8], fps: float) -> None:
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or 0 in frames.shape:
        raise ValueError(f"frames must be uint8 [T, H, W, 3], not {frames.dtype} {list(frames.shape)}")
    _, height, width, _ = frames.shape
    if height % 2 or width % 2:
        raise MediaError(f"Cannot encode {path}: H.264 4:2:0 needs an even height and width, not {height}x{width}.")
    if not (math.isfinite(fps) and fps > 0):
        raise MediaError(f"Cannot encode {path}: the frame rate must be above 0, not {fps}.")


def _add_video(container: OutputContainer, frames: NDArray[np.uint8], fps: float) -> VideoStream:
    # a key frame every second: the report steps and seeks through clips frame by frame
    options = {"crf": str(_CRF), "g": str(max(1, round(fps))), "x264-params": _DETERMINISTIC}
    stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=options)
    stream.height, stream.width = frames.shape[1:3]
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.thread_count = 1  # x264 decides differently with another number of threads
    # without these flags each player guesses the matrix from the height
    context.colorspace = Colorspace.ITU709
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    context.color_range = ColorRange.MPEG
    return stream


def _mux_video(container: OutputContainer, stream: VideoStream, frames: NDArray[np.uint8]) -> None:
    reformatter = VideoReformatter()
    for frame in frames:
        rgb = VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        yuv = reformatter.reformat(
            rgb,
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
        )
        container.mux(stream.encode(yuv))
    container.mux(stream.encode(None))


def _mux_audio(container: OutputContainer, audio: NDArray[np.float32], rate: int | None) -> None:
    if audio.ndim != 2 or audio.shape[0] not in (1, 2) or not rate:
        raise MediaError(f"Audio must be [1 or 2 channels, samples] with a rate, not {list(audio.shape)} at {rate}.")
    layout = "mono" if audio.shape[0] == 1 else "stereo"
    stream = container.add_stream("aac", rate=rate, layout=layout, bit_rate=192_000)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(audio, np.float32), format="fltp", layout=layout)
    frame.sample_rate = rate
    frame.pts = 0  # from here on packets know when they are heard, and the container says what to skip
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _check_whole(path: Path, frame: VideoFrame, stream: VideoStream, index: int) -> None:
    if frame.is_corrupt or (frame.width, frame.height) != (stream.width, stream.height):
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
