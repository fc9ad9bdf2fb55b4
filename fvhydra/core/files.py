# SPDX-License-Identifier: Apache-2.0
"""Files that are either whole or not there: atomic writes, hashes, canonical JSON.

Everything fvhydra leaves on disk goes through here, so a full disk, a kill or a power cut never leaves half a file
under its final name.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from fvhydra.core.errors import FvhydraError, UsageError

PATH_BYTES = 4096
"""Longest path."""

_PAUSES_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)

_REFUSALS = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR),
    *(errno.ENAMETOOLONG, errno.ELOOP),
)


@contextlib.contextmanager
def atomic_path(path: Path, suffix: str = "", *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path in the same folder that becomes ``path`` when the block ends without an error.

    Args:
        path: The final name. Its folder is made. An existing file is replaced in one step.
        suffix: Extension of the temporary name, for writers that choose their format by it (``.mp4``).
        durable: Whether the content must survive a power cut; a copy whose bytes are checked whenever it is used, and
            that can be had again, need not.

    Raises:
        UsageError: No space left, or the folder is not writable.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary(path, suffix)
        temporary.touch(exist_ok=False)  # with the mode that the umask leaves, as any other new file
        try:
            yield temporary
            if durable:
                with open(temporary, "rb+") as written:
                    os.fsync(written.fileno())
            _put(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def _put(temporary: Path, path: Path) -> None:
    """Give a file its final name. Windows refuses that while somebody reads what was there, which soon passes."""
    for pause_s in _PAUSES_S if os.name == "nt" else ():
        try:
            temporary.replace(path)
            return
        except PermissionError:
            time.sleep(pause_s)
    temporary.replace(path)


def _temporary(path: Path, suffix: str = "") -> Path:
    return path.parent / f".tmp-{secrets.token_hex(6)}{suffix}"


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals about ``path`` into one sentence each."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise UsageError(
                f"{os.strerror(error.errno)} while writing {path}; nothing was half-written.",
                "Free some space, or move runtime.output_dir, runtime.cache_dir or store.path to another disk.",
            ) from error
        # ENOENT on the way to the path: its folder cannot be made (in /proc, on a disk that went away)
        on_the_way = error.errno == errno.ENOENT and Path(error.filename or "") in (path, *path.parents)
        if error.errno in _REFUSALS or on_the_way:
            raise UsageError(
                f"Cannot write {path}: {error.strerror}.",
                "Choose a folder that you may write to (runtime.output_dir, runtime.cache_dir or store.path).",
            ) from error
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` atomically, UTF-8.

    Raises:
        UsageError: It is not text: half of a surrogate pair, which is how Python carries bytes that are not UTF-8.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        around = text[max(error.start - 20, 0) : error.end + 20]
        raise UsageError(f"Cannot write {path}: {around!r} is not UTF-8 text.") from error
    write_bytes(path, data)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` to ``path`` atomically, for people to read. NaN and infinity are refused (``ValueError``)."""
    write_text(path, _json_for_people(value))


def refresh_json(path: Path, value: Any) -> None:
    """Replace a JSON file that is written again and again: whole at any moment, and not forced to the disk.

    Its folder is not made, so that nothing comes back that was removed.
    """
    temporary = _temporary(path)
    try:
        temporary.write_text(_json_for_people(value), encoding="utf-8")
        _put(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _json_for_people(value: Any) -> str:
    return json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO, which could be waited for without end",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device, which may have no end",
    stat.S_IFBLK: "a device",
}


def regular_file(
    path: Path, what: str = "file", *, most_bytes: int | None = None, error: type[FvhydraError] = UsageError
) -> int:
    """Make sure that what somebody else named is a file with an end, before it is opened.

    Links are followed. Whoever reads must still stop after as many bytes as are returned: files in /proc have a size
    of 0 and may go on for ever, others may grow.

    Args:
        path: The file.
        what: What it is called in the message, as in "There is no video clip.mp4."
        most_bytes: The largest size that is accepted.
        error: What is raised.

    Returns:
        Its size in bytes.

    Raises:
        FvhydraError: Of the given kind: there is nothing, or something else than a regular file (a folder, FIFO,
            socket or device), or it is larger.
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as failure:  # ValueError: a NUL, or half of a surrogate pair
        if isinstance(failure, FileNotFoundError):
            raise error(f"There is no {what} {path}.") from failure
        reason = getattr(failure, "strerror", None) or failure
        raise error(f"The {what} {str(path)!r} cannot be looked at: {reason}.") from failure
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        raise error(f"The {what} {path} is {_KINDS.get(kind, 'no file')}; only regular files are read.")
    if most_bytes is not None and status.st_size > most_bytes:
        raise error(f"The {what} {path} has {status.st_size:,} bytes; at most {most_bytes:,} are read.")
    return status.st_size


def append_line(path: Path, line: str) -> None:
    """Add a line to a file, made if need be. A kill leaves at most the beginning of this line as its last."""
    with explained(path), open(path, "ab") as handle:
        handle.write(f"{line}\n".encode())
        handle.flush()
        os.fsync(handle.fileno())


def given_path(text: str | Path) -> Path:
    """A path that somebody gave, with ``~`` replaced.

    Raises:
        UsageError: No file system could have it, or it begins at the home of nobody whom this machine knows.
    """
    try:
        name = os.fsencode(text)
        if b"\0" not in name and len(name) <= PATH_BYTES and all(len(part) <= 255 for part in name.split(b"/")):
            return Path(text).expanduser()
        why = "it holds a NUL, or a name of more than 255 bytes"
    except UnicodeEncodeError:
        why = "it holds half of a surrogate pair"
    except RuntimeError:
        why = "nobody of that name has a home here"
    raise UsageError(f"{str(text)[:80]!r} is no path: {why}.")


def copy(source: Path, target: Path) -> None:
    """Copy a file atomically."""
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)


def copy_all(sources: Mapping[str, Path], folder: Path) -> None:
    """Copy files into a new folder, which is there when all of them are.

    Args:
        sources: Path within the folder, with forward slashes, to the file.
        folder: It must not be there.
    """
    temporary = _temporary(folder)
    with explained(folder):
        try:
            temporary.mkdir(parents=True)
            for path, source in sources.items():
                target = temporary / path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's content."""
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        while chunk := handle.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_files(paths: Iterable[Path]) -> list[str]:
    """Hex SHA-256 of each file's content, several at once."""
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # weights are gigabytes, and hashing frees the lock
        return list(pool.map(sha256_file, paths))


def sha256_folder(folder: Path) -> str:
    """Hex SHA-256 over the names and contents of a folder's files, but for hidden ones, which downloaders leave."""
    found = sorted(
        (path.relative_to(folder).as_posix(), path)
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    digests = sha256_files(path for _, path in found)
    return sha256_bytes(canonical_json(dict(zip([name for name, _ in found], digests, strict=True))).encode())


def sha256_bytes(data: bytes) -> str:
    """Hex SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def canonical_json(value: Any) -> str:
    """The one spelling of a JSON value that hashes are taken of: sorted keys, no spaces, ASCII, no NaN."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def plain(value: Any) -> Any:
    """``value`` as JSON types.

    Dataclasses become dicts, tuples lists, sets sorted lists, paths strings, enum members their values.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):  # whose own order differs from process to process
        return sorted((plain(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, str):
        return str(value)
    return value
