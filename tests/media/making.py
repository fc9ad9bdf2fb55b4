# SPDX-License-Identifier: Apache-2.0
"""Clips, pictures and recordings as others write them, and as nobody should."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray


def moving(frames: int = 24, height: int = 64, width: int = 96) -> NDArray[np.uint8]:
    """Smooth saturated colours that move, with a corner that says which way is up."""
    rows, columns = np.mgrid[:height, :width]
    clip = np.empty((frames, height, width, 3), np.uint8)
    for index, frame in enumerate(clip):
        frame[..., 0] = 128 + 120 * np.sin((columns + 3 * index) / 17)
        frame[..., 1] = 128 + 120 * np.sin((rows - 2 * index) / 13)
        frame[..., 2] = 128 + 120 * np.cos((rows + columns + index) / 31)
    clip[:, : height // 4, : width // 4] = (255, 0, 0)
    return clip


def write(
    path: Path,
    frames: NDArray[np.uint8],
    times: Sequence[Fraction | int] | None = None,
    *,
    rate: Fraction | int = 24,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: Mapping[str, str] | None = None,
    time_base: Fraction | None = None,
) -> Path:
    """Encode frames, each at its time in seconds (by default one after the other)."""
    with av.open(path, "w") as container:
        stream: Any = container.add_stream(codec, rate=rate, options=dict(options or {}))
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pix_fmt
        base = time_base or 1 / Fraction(rate)
        stream.codec_context.time_base = base
        for index, rgb in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pix_fmt)
            at = Fraction(index, 1) / rate if times is None else Fraction(times[index])
            frame.pts, frame.time_base = round(at / base), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def remux(
    source: Path,
    target: Path,
    *,
    begin: int = 0,
    end: int | None = None,
    matrix: Sequence[int] | None = None,
    later_s: Fraction | int = 0,
) -> Path:
    """Copy packets ``[begin, end)`` in the order of decoding, their times kept or put off, into another container."""
    with av.open(source) as read, av.open(target, "w") as written:
        template = read.streams.video[0]
        stream = written.add_stream_from_template(template)
        if matrix is not None:
            stream.set_display_matrix(list(matrix))
        packets = [packet for packet in read.demux(template) if packet.size]
        for packet in packets[begin:end]:
            assert packet.pts is not None
            assert packet.dts is not None
            assert packet.time_base is not None
            shift = round(later_s / packet.time_base)
            packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
            written.mux(packet)
    return target


def sound(path: Path, samples: int = 48_000, rate: int = 48_000, codec: str = "pcm_s16le") -> Path:
    """A tone of 440 Hz, mono."""
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(samples) / rate)
    with av.open(path, "w") as container:
        stream: Any = container.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone[np.newaxis].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def png(width: int, height: int) -> bytes:
    """A PNG that declares a size and has a few of its bytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(999))) + chunk(b"IEND", b"")
    )


def _box(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), name) + body


def _full(name: bytes, *parts: bytes, flags: int = 0) -> bytes:
    return _box(name, struct.pack(">I", flags), *parts)


def mp4(samples: int, *, edits: int = 0, reference: str | None = None) -> bytes:
    """An MP4 of uncompressed frames of 8x8 (192 bytes) whose index claims any number of them, of a byte each.

    Args:
        samples: How many it claims.
        edits: How often an edit list shows all of them.
        reference: The file that its samples are in, beside it; in itself where None.
    """
    size = 192 if reference else 1
    raw = struct.pack(">HH", 8, 8) + struct.pack(">II", 0x480000, 0x480000) + bytes(4)
    entry = _box(
        b"raw ", bytes(6), struct.pack(">H", 1), bytes(16), raw, struct.pack(">H", 1), bytes(32), b"\0\x18\xff\xff"
    )
    where = _full(b"url ", flags=1) if reference is None else _alias(reference)
    table = _box(
        b"stbl",
        _full(b"stsd", struct.pack(">I", 1), entry),
        _full(b"stts", struct.pack(">III", 1, samples, 1)),
        _full(b"stsc", struct.pack(">IIII", 1, 1, samples, 1)),
        _full(b"stsz", struct.pack(">II", size, samples)),
        _full(b"stco", struct.pack(">II", 1, 0 if reference else 48)),
    )
    media = _box(
        b"mdia",
        _full(b"mdhd", struct.pack(">IIIIHH", 0, 0, 1000, samples, 0, 0)),
        _full(b"hdlr", bytes(4), b"vide", bytes(13)),
        _box(b"minf", _full(b"vmhd", bytes(8)), _box(b"dinf", _full(b"dref", struct.pack(">I", 1), where)), table),
    )
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    edit = struct.pack(">IiI", samples, 0, 65536)
    track = _box(
        b"trak",
        _full(
            b"tkhd",
            struct.pack(">5I", 0, 0, 1, 0, samples),
            bytes(16),
            matrix,
            struct.pack(">II", 8 << 16, 8 << 16),
            flags=3,
        ),
        _box(b"edts", _full(b"elst", struct.pack(">I", edits), edit * edits)) if edits else b"",
        media,
    )
    head = struct.pack(">IIIIIH", 0, 0, 1000, samples, 65536, 256)
    movie = _box(b"moov", _full(b"mvhd", head, bytes(10), matrix, bytes(24), struct.pack(">I", 2)), track)
    return _box(b"ftyp", b"isom", struct.pack(">I", 512), b"isom") + _box(b"mdat", bytes(1000)) + movie


def _alias(name: str) -> bytes:
    """A Macintosh alias, which FFmpeg follows if it is let to: relative, one folder up and down again."""
    volume, file = b"disk".ljust(27, b"\0"), name.encode().ljust(63, b"\0")
    fixed = bytes(6) + b"\0\0\0\0" + bytes([4]) + volume + bytes(12) + bytes([len(name)]) + file + bytes(16)
    levels = struct.pack(">hh", 1, 1) + bytes(16)
    path = f"disk:folder:{name}".encode()
    path += bytes(len(path) % 2)
    return _full(b"alis", fixed + levels + struct.pack(">hh", 2, len(path)) + path + struct.pack(">hh", -1, 0), flags=0)
