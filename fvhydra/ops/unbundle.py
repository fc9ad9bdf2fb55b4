# SPDX-License-Identifier: Apache-2.0
"""Bundles of runs that are read: held to their own lists of hashes, and unpacked as a whole or not at all."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fvhydra.core import archives, files, untrusted
from fvhydra.core.archives import Readable
from fvhydra.core.errors import UsageError
from fvhydra.ops.bundled import BUNDLE, listing

_BLOCK = 2**20


def verify(source: Path, most_bytes: int) -> Checked:
    """Read all of a bundle.

    Args:
        source: The archive, which anybody may have made.
        most_bytes: The most that it may unpack to.

    Raises:
        UsageError: It is not whole, or not a bundle.
    """
    found = Checked(source, most_bytes)
    for _, stream in found.each():
        while stream.read(_BLOCK):
            pass
    return found


def unpack(source: Path, place: Path, most_bytes: int) -> tuple[Path, Checked]:
    """Unpack a bundle into a new folder of ``place``, verified; when anything is wrong with it, there is none.

    Returns:
        The folder, and what was found.

    Raises:
        UsageError: As for :func:`verify`; or the folder is there already, or has no room.
    """
    with files.explained(place):
        place.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=place, prefix=".tmp-"))
    try:
        found = Checked(source, min(most_bytes, shutil.disk_usage(place).free))
        for relative, stream in found.each():
            path = scratch / relative
            with files.explained(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                with open(path, "xb") as out:
                    while block := stream.read(_BLOCK):
                        out.write(block)
        target = place / found.name
        if target.exists() or target.is_symlink():
            raise UsageError(f"{target} is there already.", "Unpack elsewhere: op.to=<folder>.")
        (scratch / found.name).rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target, found


class Checked:
    """The files of an archive, each held to what the archive says of it in its first file."""

    def __init__(self, source: Path, most_bytes: int) -> None:
        self._source, self._most = source, most_bytes
        self.name = ""
        """The folder that all of it is in."""
        self.count, self.bytes = 0, 0

    def each(self) -> Iterator[tuple[str, Readable]]:
        """Relative path, under one folder, and content; after the last one all of it was there and right."""
        entries = archives.read(self._source, self._most)
        first, size, stream = next(entries, ("", 0, None))
        self.name, _, rest = first.partition("/")
        if stream is None or rest != BUNDLE or size > untrusted.RECORD_BYTES:
            raise UsageError(f"{self._source} is not a bundle of a run: its first file is not <run>/{BUNDLE}.")
        wanted = listing(untrusted.parse_json(stream.read(size), f"{self._source} {first}"), self._source)
        left = {f"{self.name}/{path}": facts for path, facts in wanted.items()}
        for name, size, stream in entries:
            facts = left.pop(name, None)
            if facts is None:
                raise UsageError(f"{self._source} has {name!r}, which its {BUNDLE} does not list.")
            counted = _Counted(stream, facts["bytes"])
            yield name, counted
            if size != facts["bytes"] or counted.sha256() != facts["sha256"]:
                raise UsageError(f"{self._source}: {name} is not what it was when it was packed.", "Fetch it again.")
            self.count, self.bytes = self.count + 1, self.bytes + size
        if left:
            raise UsageError(f"{self._source} lacks {sorted(left)[0]!r}, which its {BUNDLE} lists.", "Fetch it again.")


class _Counted:
    """A stream that is hashed as it is read, and gives no more than was announced."""

    def __init__(self, stream: Readable, size: int) -> None:
        self._stream, self._left, self._digest = stream, size, hashlib.sha256()

    def read(self, size: int = _BLOCK) -> bytes:
        data = self._stream.read(min(size, self._left)) if self._left else b""
        self._left -= len(data)
        self._digest.update(data)
        return data

    def sha256(self) -> str:
        while self.read():
            pass
        return "" if self._left or self._stream.read(1) else self._digest.hexdigest()
