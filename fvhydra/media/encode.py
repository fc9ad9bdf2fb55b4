# SPDX-License-Identifier: Apache-2.0
"""RGB frames and sound to a file that every browser plays."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from fvhydra.core.errors import MediaError
from fvhydra.core.files import atomic_path
from fvhydra.media.picture import Frame

QUALITY = {"crf": "10", "x264-params": "mbtree=0"}
"""x264's constant quality, 0 (lossless) to 51. Measured on noise, textures and gradients: at 10 a frame's MS-SSIM is
within 0.005 of what lossless 4:2:0 keeps, so a gate at 0.93 is spent on the engine and not on the codec; at 18, called
visually lossless, it falls up to 0.03 below.

Its macroblock tree looks at memory that it never wrote: with it, equal noisy frames became other bytes in one process
of ten."""


def encode(
    path: Path,
    frames: NDArray[np.uint8],
    fps: float,
    audio: NDArray[np.float32] | None = None,
    audio_rate: int | None = None,
    *,
    key_frames: Collection[int] = (),
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
        key_frames: Frames, by index, that a decoder can begin at, beside those that the encoder chooses.

    Raises:
        MediaError: Sizes, frame rate or audio that cannot be encoded.
        ValueError: ``frames`` is not uint8 ``[T, H, W, 3]``.
        UsageError: The file cannot be written.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or 0 in frames.shape:
        raise ValueError(f"frames must be uint8 [T, H, W, 3], not {frames.dtype} {list(frames.shape)}")
    size = (frames.shape[1], frames.shape[2])
    write_mp4(path, frames, size, fps, QUALITY, audio, audio_rate, key_frames=key_frames)


def write_mp4(
    path: Path,
    frames: Iterable[Frame],
    size: tuple[int, int],
    fps: float,
    options: dict[str, str],
    audio: NDArray[np.float32] | None = None,
    audio_rate: int | None = None,
    *,
    key_frames: Collection[int] = (),
) -> None:
    """Write frames one by one, with further options of x264; otherwise as :func:`encode`.

    Args:
        path: The file to write, atomically.
        frames: uint8 ``[H, W, 3]`` each.
        size: ``H`` and ``W``.
        fps: Frames a second.
        options: libx264's, by FFmpeg's names.
        audio: float32 ``[C, N]``.
        audio_rate: Samples a second.
        key_frames: As for :func:`encode`.
    """
    height, width = size
    if height % 2 or width % 2:
        raise MediaError(f"Cannot encode {path}: H.264 4:2:0 needs an even height and width, not {height}x{width}.")
    if not (math.isfinite(fps) and fps > 0):
        raise MediaError(f"Cannot encode {path}: the frame rate must be above 0, not {fps}.")
    with atomic_path(path, suffix=".mp4") as temporary:
        try:
            with av.open(temporary, "w", format="mp4", options={"movflags": "+faststart"}) as container:
                video = _add_video(container, size, fps, options)
                if audio is not None:
                    mux_audio(container, audio, audio_rate)
                _mux_video(container, video, frames, key_frames)
        except av.FFmpegError as error:
            if isinstance(error, OSError):  # a full disk is explained by atomic_path
                raise
            raise MediaError(f"Cannot encode {path}: {error}.") from error


def _add_video(container: OutputContainer, size: tuple[int, int], fps: float, options: dict[str, str]) -> VideoStream:
    # a key frame every second: the report steps and seeks through clips frame by frame
    options = {"g": str(max(1, round(fps))), "forced-idr": "1", **options}
    stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=options)
    stream.height, stream.width = size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.thread_count = 1  # x264 decides differently with another number of threads
    # without these flags each player guesses the matrix from the height
    context.colorspace = Colorspace.ITU709
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    context.color_range = ColorRange.MPEG
    return stream


def _mux_video(
    container: OutputContainer, stream: VideoStream, frames: Iterable[Frame], key_frames: Collection[int]
) -> None:
    reformatter = VideoReformatter()
    for index, frame in enumerate(frames):
        rgb = VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        yuv = reformatter.reformat(
            rgb,
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
        )
        if index in key_frames:
            yuv.pict_type = PictureType.I
        container.mux(stream.encode(yuv))
    container.mux(stream.encode(None))


def mux_audio(container: OutputContainer, audio: NDArray[np.float32], rate: int | None) -> None:
    """Add sound to a container that is being written, from its first moment on.

    Args:
        container: Where to.
        audio: float32 ``[C, N]`` in [-1, 1], one or two channels.
        rate: Samples a second.

    Raises:
        MediaError: It has other channels, or no rate.
    """
    if audio.ndim != 2 or audio.shape[0] not in (1, 2) or not rate:
        raise MediaError(f"Audio must be [1 or 2 channels, samples] with a rate, not {list(audio.shape)} at {rate}.")
    layout = "mono" if audio.shape[0] == 1 else "stereo"
    stream = container.add_stream("aac", rate=rate, layout=layout, bit_rate=192_000)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(audio, np.float32), format="fltp", layout=layout)
    frame.sample_rate = rate
    frame.pts = 0  # from here on packets know when they are heard, and the container says what to skip
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
