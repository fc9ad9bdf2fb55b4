# SPDX-License-Identifier: Apache-2.0
"""The few dealings with the file system that the parts of a local store share."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from fvhydra.core.errors import Corrupt, Denied, Unavailable
from fvhydra.core.files import explained, regular_file
from fvhydra.core.machine import no_detour

BLOCK_BYTES = 1 << 20

SCRATCH_PREFIX = ".tmp-"

LOOK = "`python -m fvhydra op=verify` with the same store says what is damaged and what can be done."

_NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)


@contextlib.contextmanager
def scratch_file(folder: Path) -> Iterator[Path]:
    """Yield an empty file in ``folder`` (which is made) that is gone when the block ends, unless it was moved away.

    It is hidden, so what a process that died leaves is not taken for anything else.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=SCRATCH_PREFIX)
    os.close(handle)
    path = Path(name)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def seal(handle: BinaryIO) -> None:
    """Bring a written file to the disk, for reading only from now on."""
    handle.flush()
    # file systems stamp by the tick of some ms; current/ tells versions apart by the time, so it gets the clock's own
    stamp = time.time_ns()
    os.utime(handle.fileno() if os.utime in os.supports_fd else handle.name, ns=(stamp, stamp))
    if hasattr(os, "fchmod"):  # Windows takes nothing away that is for reading only
        os.fchmod(handle.fileno(), 0o444)
    os.fsync(handle.fileno())


def link_once(file: Path, name: Path) -> bool:
    """Give a finished file its name, in one step, unless the name is taken; return whether it was free.

    Raises:
        Denied: The file system has no hard links.
    """
    try:
        os.link(file, name)
    except FileExistsError:
        # NFS repeats a request whose answer it lost, and then finds its own link
        return name.samefile(file)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        raise Denied(
            f"The file system of {name.parent} has no hard links ({error.strerror}), and a store needs them.",
            "Choose a folder on a local disk, NFS or Lustre with store.path=<folder>.",
        ) from error
    return True


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk: without it, a power cut may forget a file that was synced itself."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows opens no folder, and writes names down by itself
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_plain(path: Path, most_bytes: int) -> BinaryIO:
    """Open a file of the store for reading: no symbolic link, since the store's bytes are inside the store.

    Raises:
        FileNotFoundError: There is none.
        Corrupt: It is a link, a FIFO, a device or a folder, or has more than ``most_bytes``.
    """
    if stat.S_ISLNK(path.lstat().st_mode):
        raise Corrupt(f"{path} is a symbolic link, and a store has none.", LOOK)
    regular_file(path, "file of the store", most_bytes=most_bytes, error=Corrupt)
    # neither flag matters unless somebody put another kind of file there a moment ago
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | no_detour()))


def check_folders(*folders: Path) -> None:
    """Refuse symbolic links in place of the store's own folders: whoever made them decides what is read and removed.

    Raises:
        Corrupt: One is a link.
    """
    for folder in folders:
        if folder.is_symlink():
            raise Corrupt(
                f"{folder} is a symbolic link to {folder.readlink()}, and a store has none inside.",
                "Put a folder in its place. The store as a whole may be a link.",
            )


@contextlib.contextmanager
def refusals(root: Path) -> Iterator[None]:
    """Turn the operating system's refusals into the errors of a store at ``root``.

    Raises:
        Denied: No permission, a read-only file system, or a file stands where a folder is needed.
        UsageError: The disk is full.
        Unavailable: Anything else, such as a network file system that went away.
    """
    try:
        with explained(root):
            try:
                yield
            except OSError as error:
                if (
                    isinstance(error, (PermissionError, NotADirectoryError, FileExistsError))
                    or error.errno == errno.EROFS
                ):
                    raise Denied(
                        f"The store {root} cannot be used: {error.filename or root}: {error.strerror}.",
                        "Give yourself permission there, or choose another folder with store.path=<folder>.",
                    ) from error
                raise
    except OSError as error:
        raise Unavailable(f"The store {root} cannot be reached: {error.filename or root}: {error.strerror}.") from error
