# SPDX-License-Identifier: Apache-2.0
"""The videos of one sample, decoded once, side by side, in chunks of frames with equal indices."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fvhydra.core.errors import MediaError
from fvhydra.media.prefetch import prefetched
from fvhydra.media.video import VideoInfo, decode, probe
from fvhydra.metrics.base import Chunk, Track

Frames = NDArray[np.uint8]

_AT_ONCE = 3
"""Chunks of a video that exist at the same time: seen by metrics, decoded and waiting, being decoded."""


class ClipReader:
    """An iterator over the chunks of a sample.

    Attributes:
        tracks: What is known of each video whose first frames could be decoded; their sizes are those of the frames.
        errors: Why a video is not, or no longer, among the tracks of a chunk: damaged, missing, no video.
        counts: Frames decoded so far.
    """

    def __init__(self, infos: Mapping[str, VideoInfo], readers: Mapping[str, Iterator[Frames]], length: int) -> None:
        self.errors: dict[str, MediaError] = {}
        self.counts = dict.fromkeys(readers, 0)
        self._readers = dict(readers)
        self._length = length
        self._first = self._read()
        self.tracks = {key: _track(infos[key], frames) for key, frames in self._first.items()}

    def __iter__(self) -> Iterator[Chunk]:
        start, arrays = 0, self._first
        self._first = {}
        while arrays:
            yield Chunk(start, arrays)
            start += self._length
            arrays = {}  # let the frames go before the next are waited for
            arrays = self._read()

    def _read(self) -> dict[str, Frames]:
        arrays = {}
        for key, reader in list(self._readers.items()):
            try:
                arrays[key] = next(reader)
                self.counts[key] += len(arrays[key])
            except StopIteration:
                del self._readers[key]
            except MediaError as error:
                self.errors[key] = error
                del self._readers[key]
        return arrays


@contextmanager
def open_clips(videos: Mapping[str, Path], memory_mb: float, fps: float | None = None) -> Iterator[ClipReader]:
    """Decode videos, each of more than a chunk in a thread of its own, a chunk ahead of whoever iterates.

    Args:
        videos: Key of the sample to file, or to folder of frames.
        memory_mb: For the decoded frames of all of them together. Chunks are as long as that allows, one frame at
            least, and their length depends on nothing else: not on the machine, nor on what runs beside.
        fps: Frames a second of folders of frames.
    """
    infos, errors = {}, {}
    for key, path in videos.items():
        try:
            infos[key] = probe(path, fps)
        except MediaError as error:
            errors[key] = error
    length = chunk_length(infos.values(), memory_mb)
    with ExitStack() as stack:
        readers: dict[str, Iterator[Frames]] = {}
        for key, info in infos.items():
            chunks = _chunks(videos[key], length)
            reader: AbstractContextManager[Iterator[Frames]]
            reader = prefetched(chunks, depth=1) if _has_several(info, length) else closing(chunks)
            readers[key] = stack.enter_context(reader)
        found = ClipReader(infos, readers, length)
        found.errors |= errors
        yield found


def chunk_length(infos: Iterable[VideoInfo], memory_mb: float) -> int:
    """How many frames a chunk has, for the given videos and memory; 1 or more."""
    frame_bytes = sum(info.height * info.width * 3 for info in infos)
    return max(1, int(memory_mb * 1e6 / (_AT_ONCE * frame_bytes))) if frame_bytes else 1


def _has_several(info: VideoInfo, length: int) -> bool:
    """Whether the video has more than one chunk, so that decoding ahead helps."""
    return info.frames > length


def _track(info: VideoInfo, frames: Frames) -> Track:
    _, height, width, _ = frames.shape
    return Track(height, width, info.fps, info.frames)


def _chunks(path: Path, length: int) -> Generator[Frames, None, None]:
    chunk, filled = np.empty(0, np.uint8), 0
    for frame in decode(path, upright=True):
        if not filled:
            chunk = np.empty((length, *frame.shape), np.uint8)
        chunk[filled] = frame
        filled += 1
        if filled == length:
            yield _sealed(chunk)
            filled = 0
    if filled:
        yield _sealed(chunk[:filled])


def _sealed(chunk: Frames) -> Frames:
    chunk.flags.writeable = False  # every metric sees the same array
    return chunk
