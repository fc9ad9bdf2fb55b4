# SPDX-License-Identifier: Apache-2.0
"""Opening clips and recordings that strangers may have made.

A file's name says nothing: FFmpeg looks at the content and takes whatever fits it best, and some formats are lists of
further files or addresses (ffconcat, HLS, DASH, SDP), which would then be read as if the person had named them. So only
formats that hold everything themselves can be chosen, nothing but the file itself can be opened, and what a file claims
of its size is looked at first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from fvhydra.core.errors import MediaError
from fvhydra.media.headers import check_headers
from fvhydra.media.limits import MOST_PIXELS, check_pixels, media_file

FORMATS = (
    *("mov", "matroska", "avi", "flv", "gif", "mpegts", "yuv4mpegpipe"),
    *("wav", "flac", "mp3", "ogg", "aac", "aiff"),
)
"""FFmpeg's names of the demuxers that may be chosen; ``mov`` is MP4 too, ``matroska`` WebM."""

FETCH_AGAIN = "Make or fetch the file again; it may have been cut off while it was written or copied."

_OPTIONS = {
    "format_whitelist": ",".join(FORMATS),
    "protocol_whitelist": "file",
    # an MP4 can say that its samples are in another file
    "enable_drefs": "0",
    "use_absolute_path": "0",
    # for what FFmpeg decodes while it looks at a file
    "max_pixels": str(MOST_PIXELS),
}


@contextlib.contextmanager
def opened(path: Path, what: str, unlike: str) -> Iterator[InputContainer]:
    """Open a container.

    Args:
        path: The file.
        what: What it should be: ``video``, ``recording``.
        unlike: What is said of a file that FFmpeg cannot open: "is not a video".

    Raises:
        MediaError: Missing, no regular file, too large, cut off, damaged, or of none of :data:`FORMATS`.
    """
    check_headers(path, media_file(path, what))
    try:
        # absolute, so that a name with a colon is not taken for a protocol
        container = av.open(path.absolute(), metadata_errors="ignore", options=_OPTIONS)
    except av.ArgumentError as error:  # the list of formats
        raise MediaError(
            f"{path} {unlike}: it is none of the formats that are read ({', '.join(FORMATS)}).",
            "Playlists, pictures and all else are refused, because they may lead to other files.",
        ) from error
    except av.FFmpegError as error:
        raise MediaError(f"{path} {unlike} ({error.strerror}).", FETCH_AGAIN) from error
    with container:
        yield container


@contextlib.contextmanager
def opened_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file and find its first moving picture.

    Raises:
        MediaError: As :func:`opened`; or there is none, or its frames are too large.
    """
    with opened(path, "video", "is not a video, or its index is missing") as container:
        # the cover of an album is a video stream too
        videos = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not videos:
            kind = "only audio" if container.streams.audio else "no video stream"
            raise MediaError(f"{path} is not a video: it holds {kind}.")
        stream = videos[0]
        check_codec(path, stream)
        if not stream.width or not stream.height:
            raise MediaError(f"{path} does not say its frame size; it is damaged.", FETCH_AGAIN)
        check_pixels(path, stream.height, stream.width)
        yield container, stream


def check_codec(path: Path, stream: VideoStream | AudioStream) -> None:
    """Refuse a stream that nothing here decodes; PyAV gives such a one no attributes.

    Raises:
        MediaError: Its codec is unknown, or its name was damaged.
    """
    context: CodecContext | None = stream.codec_context  # PyAV's types do not say that it can be missing
    if context is None:
        raise MediaError(f"{path} is damaged, or of a codec that is not known.", FETCH_AGAIN)
