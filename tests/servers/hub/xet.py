# SPDX-License-Identifier: Apache-2.0
"""Where a client with Xet leaves large files: a content-addressed store in a folder, as hf-xet itself keeps one.

hf-xet takes ``local://<folder>`` for the address of the store, so there is no server for it here. Which hash of Xet a
file has is read from the shards that hf-xet leaves there; their layout is that of hf-xet 1.8.
"""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path

_HEADER = _RECORD = 48
_HASH = 32
_HAS_VERIFICATION, _HAS_SHA256 = 0x8000_0000, 0x4000_0000
_END = b"\xff" * _HASH


class Xet:
    """See the module."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.address = f"local://{folder}"

    def token(self) -> tuple[dict[str, object], dict[str, object]]:
        """What a client is given to read or write: as JSON for one part of it, and as headers for another."""
        until = 4_000_000_000
        return (
            {"casUrl": self.address, "accessToken": "xet", "exp": until},
            {"X-Xet-Cas-Url": self.address, "X-Xet-Access-Token": "xet", "X-Xet-Token-Expiration": until},
        )

    def hashes(self) -> dict[str, tuple[str, int]]:
        """SHA-256 of every file to its hash in Xet and its size."""
        found = {}
        for shard in self._folder.glob("xet/xorbs/shards/*.mdb"):
            found.update(_files(shard.read_bytes()))
        return found

    def read(self, sha256: str) -> bytes | None:
        """A file's bytes, put together from its chunks; None when it is not there."""
        import hf_xet

        if sha256 not in (known := self.hashes()):
            return None
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "file"
            with hf_xet.XetSession().new_file_download_group(endpoint=self.address) as group:
                group.start_download_file(hf_xet.XetFileInfo(*known[sha256]), str(target))
            return target.read_bytes()


def _files(shard: bytes) -> dict[str, tuple[str, int]]:
    found, at = {}, _HEADER
    while (name := shard[at : at + _HASH]) != _END:
        flags, segments = struct.unpack("<II", shard[at + _HASH : at + _HASH + 8])
        at += _RECORD
        size = sum(struct.unpack("<I", shard[at + _RECORD * n + 36 :][:4])[0] for n in range(segments))
        at += _RECORD * segments * (2 if flags & _HAS_VERIFICATION else 1)
        if flags & _HAS_SHA256:
            found[_hex(shard[at : at + _HASH])] = _hex(name), size
            at += _RECORD
    return found


def _hex(name: bytes) -> str:
    return "".join(f"{word:016x}" for word in struct.unpack("<4Q", name))
