# SPDX-License-Identifier: Apache-2.0
"""What a media file says of its own size, against its real one: files that were cut off, and indices that cannot be.

FFmpeg reads to the end of whatever is there. A WAV, AIFF, AVI or GIF that was cut between two of its parts only looks
shorter, and an index of a few bytes may claim billions of samples, which become billions of entries in memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from fvhydra.core.errors import MediaError

_FETCH_AGAIN = "Make or fetch the file again; it may have been cut off while it was written or copied."

_STREAMED = 0x7FFF_0000
"""A chunk of this size or more was written without knowing: sox begins here, others fill all bits."""

_SLACK = 8
"""Some writers count the eight bytes before a chunk as part of it."""

_OUTER = (b"RIFF", b"FORM")
_INNER = (b"data", b"LIST", b"SSND")
_MOST_CHUNKS = 10_000
_MOST_BOXES = 200_000
_NESTED = (b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl", b"moof", b"traf")
_MP4_BEGINS = (b"ftyp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"styp", b"sidx")
_OGG_PAGE = 27 + 255 + 255 * 255
"""Bytes of the longest page."""


def check_headers(path: Path, size: int) -> None:
    """Compare what the file says with its size; formats that say nothing pass.

    Args:
        path: A regular file.
        size: Of it, in bytes.

    Raises:
        MediaError: It was cut off, or its index claims more than it can hold.
    """
    with open(path, "rb") as file:
        head = file.read(12)
        if len(head) < 12:
            return
        if head[:4] in (b"RIFF", b"FORM"):
            _check_chunks(path, file, size, ">" if head[:4] == b"FORM" else "<")
        elif head[:4] == b"OggS":
            _check_ogg(path, file, size)
        elif head[:4] == b"GIF8":
            file.seek(max(0, size - 64))
            if not file.read(64).rstrip(b"\0\r\n").endswith(b";"):
                raise MediaError(f"{path} is cut off: a GIF ends with a semicolon.", _FETCH_AGAIN)
        elif head[4:8] in _MP4_BEGINS:
            _check_mp4(path, file, size)


def _check_chunks(path: Path, file: BinaryIO, size: int, order: str) -> None:
    """Chunks of RIFF (WAV, AVI) or IFF (AIFF): the outer ones, and those directly inside the first."""
    outer = list(_chunks(file, 0, size, order))
    inner = _chunks(file, 12, min(size, outer[0].end) if outer[0].known else size, order)
    file.seek(8)
    unfinished = file.read(4) == b"AVI " and outer[0].end == 8  # the length is written last
    cut = any(chunk.end > size + _SLACK for chunk in outer if chunk.tag in _OUTER and chunk.known)
    if unfinished or cut or any(chunk.end > size for chunk in inner if chunk.tag in _INNER and chunk.known):
        raise MediaError(f"{path} is cut off: its header promises more than the {size:,} bytes there.", _FETCH_AGAIN)


class _Chunk(NamedTuple):
    tag: bytes
    end: int
    known: bool


def _chunks(file: BinaryIO, at: int, end: int, order: str) -> Iterator[_Chunk]:
    """Those that begin before ``end``, up to the first whose length was not known to who wrote it."""
    for _ in range(_MOST_CHUNKS):
        if at + 8 > end:
            return
        file.seek(at)
        tag, length = struct.unpack(f"{order}4sI", file.read(8))
        yield _Chunk(tag, at + 8 + length, length < _STREAMED)
        at += 8 + length + length % 2
        if length >= _STREAMED:
            return


def _check_ogg(path: Path, file: BinaryIO, size: int) -> None:
    """The last page is whole, and says that it ends its stream."""
    file.seek(max(0, size - _OGG_PAGE))
    tail = file.read(_OGG_PAGE)
    page = tail[tail.rfind(b"OggS\0") :]
    whole = len(page) >= 27 and len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])
    if not whole or not page[5] & 4:
        raise MediaError(f"{path} is cut off: its last page does not end the stream.", _FETCH_AGAIN)


@dataclass
class _Index:
    """What an MP4 claims of one track."""

    samples: int = 0
    least_bytes: int = 0
    edits: int = 1


def _check_mp4(path: Path, file: BinaryIO, size: int) -> None:
    """Each sample has a byte at least, and edits show what is there a few times at most."""
    track = _Index()
    for number, (name, start, end) in enumerate(_boxes(file, 0, size)):
        if number > _MOST_BOXES:
            raise MediaError(f"{path} consists of more than {_MOST_BOXES:,} boxes; no more are read.")
        if name == b"trak":
            track = _Index()
        elif name in (b"stsz", b"trun", b"elst"):
            file.seek(start)
            body = file.read(min(12, end - start)).ljust(12, b"\0")
            if name == b"elst":
                track.edits = max(1, struct.unpack(">4xI", body[:8])[0])
            elif name == b"stsz":
                each, track.samples = struct.unpack(">4xII", body)
                track.least_bytes = max(each, 1) * track.samples
            else:
                track.least_bytes = struct.unpack(">4xI", body[:8])[0]
        if track.least_bytes > size or track.samples * track.edits > 2 * size:
            raise MediaError(f"{path} is damaged: its index claims more samples than its {size:,} bytes can hold.")


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, first and last byte of what is inside, of each box in order, those inside others after them."""
    inside = [end]
    at = start
    while inside:
        if at + 8 > inside[-1]:
            at = inside.pop()
            continue
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        body = at + 8
        if length == 1:
            length = int.from_bytes(file.read(8), "big")
            body += 8
        last = min(inside[-1], at + length) if length else inside[-1]
        if last < body:  # FFmpeg will say what is wrong with it
            return
        yield name, body, last
        if name in _NESTED:
            inside.append(last)
            at = body
        else:
            at = last
