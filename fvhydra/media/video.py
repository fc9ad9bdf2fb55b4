# SPDX-License-Identifier: Apache-2.0
"""Videos: H.264 in, RGB frames out.

Both directions go through PyAV, whose wheels bring their own FFmpeg, so no binary is looked for. Decoding is strict:
a file that is cut off or damaged raises, because frames that are silently missing or concealed would be compared as if
an engine had produced them. (Changed bytes that still are a legal stream cannot be seen here; stores verify hashes.)
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from fvhydra.core.errors import MediaError
from fvhydra.core.files import atomic_path

Frame = NDArray[np.uint8]
"""uint8 ``[H, W, 3]``, RGB, full range."""

_CRF = 10
"""x264's constant quality, 0 (lossless) to 51. Measured on noise, textures and gradients: at 10 a frame's MS-SSIM is
within 0.005 of what lossless 4:2:0 keeps, so a gate at 0.93 is spent on the engine and not on the codec; at 18, called
visually lossless, it falls up to 0.03 below."""

_DETERMINISTIC = "mbtree=0"
"""x264's macroblock tree looks at memory that it never wrote: with it, equal noisy frames became other bytes in one
process of ten."""

_FETCH_AGAIN = "Make or fetch the file again; it may have been cut off while it was written or copied."


@dataclass(frozen=True)
class VideoInfo:
    """What a container says about its first video stream, without decoding it.

    Attributes:
        frames: Number of frames, or None where the container does not say. Some containers lie: whoever needs the
            truth counts what :func:`decode` yields.
        height: Rows.
        width: Columns.
        fps: Average frames a second.
        codec: FFmpeg's name of the codec, for example ``h264``.
        pix_fmt: FFmpeg's name of the pixel format, for example ``yuv420p``.
        has_audio: Whether there is an audio stream.
        duration_s: Length in seconds, or None where the container does not say.
        decoder: What :func:`decode` uses, for the provenance of numbers.
    """

    frames: int | None
    height: int
    width: int
    fps: float
    codec: str
    pix_fmt: str
    has_audio: bool
    duration_s: float | None
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


def probe(path: Path) -> VideoInfo:
    """Describe a video from its headers.

    Raises:
        MediaError: Missing, empty, damaged, or without a video stream.
    """
    with _opened(path) as (container, stream):
        rate = stream.average_rate or stream.guessed_rate
        if not rate or not stream.width or not stream.height:
            raise MediaError(f"{path} does not say its frame size and rate; it is damaged.", _FETCH_AGAIN)
        duration = _duration(container, stream)
        return VideoInfo(
            frames=stream.frames or None,
            height=stream.height,
            width=stream.width,
            fps=float(rate),
            codec=stream.codec_context.name,
            pix_fmt=stream.codec_context.pix_fmt or "unknown",
            has_audio=bool(container.streams.audio),
            duration_s=None if duration is None else float(duration),
            decoder=f"pyav {av.__version__}",
        )


def decode(path: Path, upright: bool = False) -> Generator[Frame, None, None]:
    """Yield the frames of a video in order, uint8 ``[H, W, 3]`` RGB; memory does not grow with its length.

    Args:
        path: The file.
        upright: Turn frames by quarters as the container's display matrix says, and as players do; ``H`` and ``W`` may
            then be swapped. Otherwise frames are as they were coded.

    Raises:
        MediaError: Missing, empty, damaged, or without a video stream. A file that is cut off raises after its last
            whole frame; it never just ends early.
    """
    frames = discarded = 0
    shown = Fraction(0)
    # the reformatter keeps the conversion tables between frames
    reformatter = VideoReformatter()
    with _opened(path) as (container, stream):
        try:
            for packet in container.demux(stream):
                discarded += packet.is_discard  # before or after an edit list's window
                for frame in packet.decode():
                    if frame.is_corrupt or (frame.width, frame.height) != (stream.width, stream.height):
                        raise MediaError(f"{path} is damaged at frame {frames}.", _FETCH_AGAIN)
                    frames += 1
                    shown = max(shown, _end(frame, stream))
                    rgb = np.asarray(reformatter.reformat(frame, format="rgb24").to_ndarray(), np.uint8)
                    yield np.rot90(rgb, round(frame.rotation / 90)) if upright and frame.rotation else rgb
        except av.FFmpegError as error:
            raise MediaError(f"{path} is damaged after {frames} frames ({error.strerror}).", _FETCH_AGAIN) from error
        if frames == 0:
            raise MediaError(f"{path} has a video stream without frames.", _FETCH_AGAIN)
        if _ends_early(container, stream, frames + discarded, shown):
            raise MediaError(f"{path} is cut off after {frames} frames.", _FETCH_AGAIN)


def last_frame(path: Path) -> Frame:
    """The last frame of a video, uint8 ``[H, W, 3]`` RGB.

    Raises:
        MediaError: As :func:`decode`, which this runs to the end: seeking would trust the container's index.
    """
    last: Frame
    for last in decode(path):  # noqa: B007  decode yields at least one frame or raises
        pass
    return last


def read_image(path: Path) -> Frame:
    """Read a picture as uint8 ``[H, W, 3]`` RGB, turned as its EXIF orientation says. Transparency is dropped.

    Raises:
        MediaError: Missing, or not a picture.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            return np.array(ImageOps.exif_transpose(image).convert("RGB"))
    except FileNotFoundError as error:
        raise MediaError(f"There is no image {path}.") from error
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for broken files
        raise MediaError(f"{path} is not a readable image (PNG, JPEG or WebP).") from error


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
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file and find its first moving picture."""
    if not path.is_file():
        raise MediaError(f"There is no video {path}.")
    if path.stat().st_size == 0:
        raise MediaError(f"{path} is empty (0 bytes).", _FETCH_AGAIN)
    try:
        # absolute, so that a name with a colon is not taken for a protocol
        container = av.open(path.absolute(), metadata_errors="ignore")
    except av.FFmpegError as error:
        raise MediaError(f"{path} is not a video, or its index is missing ({error.strerror}).", _FETCH_AGAIN) from error
    with container:
        name = container.format.name
        if name in ("image2", "tty") or name.endswith("_pipe"):  # FFmpeg shows pictures and text files as clips
            raise MediaError(f"{path} is not a video ({container.format.long_name}).")
        # the cover of an album is a video stream too
        videos = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not videos:
            kind = "only audio" if container.streams.audio else "no video stream"
            raise MediaError(f"{path} is not a video: it holds {kind}.")
        yield container, videos[0]


def _duration(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Seconds of the video stream, if the container says; the whole file's where nothing but the video is in it."""
    if stream.duration is not None and stream.time_base is not None:
        return stream.duration * stream.time_base
    if container.duration is not None and len(container.streams) == 1:
        return Fraction(container.duration, av.time_base)
    return None


def _end(frame: VideoFrame, stream: VideoStream) -> Fraction:
    """When the frame stops being shown, seconds after the stream's start."""
    if frame.pts is None or frame.time_base is None:
        return Fraction(0)
    start = (frame.pts - (stream.start_time or 0)) * frame.time_base
    return start + (frame.duration * frame.time_base or 1 / (stream.average_rate or Fraction(1)))


def _ends_early(container: InputContainer, stream: VideoStream, frames: int, shown: Fraction) -> bool:
    """Whether the container promised more, by its count (where it has one) *and* by its duration.

    A cut between two samples decodes without any error. Neither promise is enough alone: the count includes frames
    that an edit list removes, and a duration may be rounded up.
    """
    duration = _duration(container, stream)
    if duration is None or (stream.frames and frames >= stream.frames):
        return False
    return duration - shown > Fraction(1, 2) / (stream.average_rate or Fraction(1))
