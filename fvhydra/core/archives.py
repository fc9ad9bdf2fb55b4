# SPDX-License-Identifier: Apache-2.0
"""One archive out of many files, the same bytes for the same files; and files out of an archive that may be anybody's.

Written are plain files in the order of their names, with one time, one mode and no owner. Read are plain files only, in
one pass, and never more than was allowed: names that lead out, links, devices and more bytes than a header said end it.
"""

from __future__ import annotations

import contextlib
import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol

from fvhydra.core import extras
from fvhydra.core.errors import UsageError

FORMATS = ("zip", "tar.gz", "tar.zst")

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a ZIP can say."""
_LEVEL = 6
_BLOCK = 2**20
_COMPRESSED = (".mp4", ".webm", ".mkv", ".mov", ".png", ".jpg", ".jpeg", ".npz", ".gif", ".pt", ".safetensors")
_MOST_FILES = 1_000_000
_DEEPEST = 64


class Content(Protocol):
    """A file to write: its name in the archive, its size, and how to open it."""

    @property
    def name(self) -> str:
        """With ``/``."""

    @property
    def size(self) -> int:
        """In bytes."""

    def open(self) -> IO[bytes]:
        """A new stream of exactly ``size`` bytes."""


def format_of(path: Path) -> str:
    """The format that the name of an archive says.

    Raises:
        UsageError: None of :data:`FORMATS`.
    """
    for name in FORMATS:
        if path.name.endswith(f".{name}"):
            return name
    raise UsageError(f"{path.name} ends as no archive of a run does: {', '.join(f'.{name}' for name in FORMATS)}.")


def require(kind: str) -> None:
    """Refuse a format whose library is not here."""
    if kind == "tar.zst":
        extras.require("op.format=tar.zst", ["zstandard"])


def write(target: Path, kind: str, contents: Iterable[Content], told: Callable[[int], None] = lambda _: None) -> None:
    """Write an archive to ``target``.

    Args:
        target: The file.
        kind: One of :data:`FORMATS`.
        contents: In the order in which they are to be there.
        told: Hears how many bytes have been read so far.
    """
    done = 0
    with _writer(target, kind) as add:
        for content in contents:
            with content.open() as stream:
                add(content, stream)
            done += content.size
            told(done)


@contextlib.contextmanager
def _writer(target: Path, kind: str) -> Iterator[Callable[[Content, IO[bytes]], None]]:
    if kind == "zip":
        with zipfile.ZipFile(target, "w", allowZip64=True) as archive:

            def add_to_zip(content: Content, stream: IO[bytes]) -> None:
                info = zipfile.ZipInfo(content.name, _EPOCH)
                info.external_attr, info.create_system, info.file_size = 0o100644 << 16, 3, content.size
                packed = PurePosixPath(content.name).suffix in _COMPRESSED
                info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
                with archive.open(info, "w", force_zip64=content.size >= 2**31) as entry:
                    while block := stream.read(_BLOCK):
                        entry.write(block)

            yield add_to_zip
        return
    with (
        open(target, "wb") as raw,
        _compressing(raw, kind) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):

        def add_to_tar(content: Content, stream: IO[bytes]) -> None:
            info = tarfile.TarInfo(content.name)
            info.size, info.mode = content.size, 0o644
            tar.addfile(info, stream)

        yield add_to_tar


def _compressing(raw: IO[bytes], kind: str) -> Any:
    if kind == "tar.gz":
        return gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=raw, mtime=0)
    import zstandard

    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).stream_writer(raw, closefd=False)


class Readable(Protocol):
    """What can be read to its end, and nothing else."""

    def read(self, size: int = _BLOCK) -> bytes:
        """At most ``size`` bytes; none at the end."""


def read(source: Path, most_bytes: int) -> Iterator[tuple[str, int, Readable]]:
    """The files of an archive, one after the other: name, size, and a stream that ends after that many bytes.

    Args:
        source: The archive, which anybody may have made.
        most_bytes: Of all files together.

    Raises:
        UsageError: It is damaged, larger, or has what a run does not: a name that leads out or is there twice, a link,
            a device.
    """
    seen: set[str] = set()
    left = most_bytes
    with _explained(source):
        for name, size, stream in _entries(source, most_bytes):
            _refuse_name(source, name, seen)
            left -= size
            if left < 0:
                raise _too_large(source, most_bytes)
            yield name, size, _Entry(source, stream)


@contextlib.contextmanager
def _explained(source: Path) -> Iterator[None]:
    """Anything that a damaged archive makes its libraries raise, as one sentence."""
    try:
        yield
    except UsageError:
        raise
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, ValueError, RuntimeError, zlib.error) as error:
        raise _damaged(source, error) from error
    except Exception as error:
        if type(error).__name__ != "ZstdError":  # of a library that may not be here
            raise
        raise _damaged(source, error) from error


def _damaged(source: Path, error: Exception) -> UsageError:
    return UsageError(f"{source} cannot be read as an archive ({error}); it was cut off, damaged or encrypted.")


def _too_large(source: Path, most_bytes: int) -> UsageError:
    return UsageError(
        f"{source} unpacks to more than {most_bytes:,} bytes, the most that is read.",
        "If it may be as large as that and the disk has room: op.most_gb=<more>.",
    )


class _Entry:
    """A file of an archive while it is read."""

    def __init__(self, source: Path, stream: IO[bytes]) -> None:
        self._source, self._stream = source, stream

    def read(self, size: int = _BLOCK) -> bytes:
        with _explained(self._source):
            return self._stream.read(size)


def _refuse_name(source: Path, name: str, seen: set[str]) -> None:
    path = PurePosixPath(name)
    odd = "\\" in name or "\0" in name or ":" in name.split("/")[0] or len(path.parts) > _DEEPEST
    if odd or not path.parts or path.is_absolute() or ".." in path.parts or str(path) != name:
        raise UsageError(f"{source} has a file {name[:200]!r}, whose name leads out of it or is no plain path.")
    if name.casefold() in seen or any(str(above).casefold() in seen for above in path.parents):
        raise UsageError(f"{source} has {name[:200]!r} twice, or as a file and a folder.")
    if len(seen) >= _MOST_FILES:
        raise UsageError(f"{source} has more than {_MOST_FILES:,} files.")
    seen.add(name.casefold())


def _entries(source: Path, most_bytes: int) -> Iterator[tuple[str, int, IO[bytes]]]:
    kind = format_of(source)
    if kind == "zip":
        with zipfile.ZipFile(source) as archive:
            for info in archive.infolist():
                _refuse_kind(source, info.filename, (info.external_attr >> 28) in (0, 0o10) and not info.is_dir())
                with archive.open(info) as stream:
                    yield info.filename, info.file_size, stream
        return
    require(kind)
    with contextlib.ExitStack() as stack:
        plain = stack.enter_context(_decompressing(stack.enter_context(open(source, "rb")), kind))
        # headers are beside the files
        forward: Any = _Forward(plain, source, most_bytes + 2**31)
        tar = stack.enter_context(tarfile.open(fileobj=forward, mode="r:"))
        while (member := tar.next()) is not None:
            _refuse_kind(source, member.name, member.isreg() and not member.issparse())
            content = tar.extractfile(member)
            assert content is not None
            yield member.name, member.size, content
        while forward.read(_BLOCK):  # the checksum of the whole comes last
            pass


def _refuse_kind(source: Path, name: str, plain: bool) -> None:
    if not plain:
        raise UsageError(f"{source} has {name[:200]!r}, which is no plain file; a run has nothing else.")


def _decompressing(raw: IO[bytes], kind: str) -> Any:
    if kind == "tar.gz":
        return gzip.GzipFile(fileobj=raw, mode="rb")
    import zstandard

    return zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(raw, closefd=False)


class _Forward:
    """A stream that tarfile takes for a file, and that never gives much at once: headers are read as a whole."""

    _MOST_AT_ONCE = 2**20 + 2**16

    def __init__(self, stream: IO[bytes], source: Path, most_bytes: int) -> None:
        self._stream, self._source, self._most, self._at = stream, source, most_bytes, 0

    def tell(self) -> int:
        return self._at

    def seek(self, position: int, whence: int = 0) -> int:
        if position < self._at:
            raise UsageError(f"{self._source} is no archive that can be read in one pass.")
        while self._at < position:
            if not self.read(min(position - self._at, _BLOCK)):
                break
        return self._at

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > self._MOST_AT_ONCE:
            raise UsageError(f"{self._source} has a header of {size:,} bytes, which no file name needs.")
        parts, wanted = [], size
        while wanted and (part := self._stream.read(wanted)):
            parts.append(part)
            wanted -= len(part)
        data = b"".join(parts)
        self._at += len(data)
        if self._at > self._most:
            raise _too_large(self._source, self._most)
        return data
