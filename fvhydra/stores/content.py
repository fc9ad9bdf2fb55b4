# SPDX-License-Identifier: Apache-2.0
"""Hashes of content, as stores have them."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import BinaryIO

from fvhydra.stores.base import Content, Entry

_BLOCK_BYTES = 1 << 20


def is_content_of(content: Content, entry: Entry) -> bool:
    """Whether bytes, or those of a file, are exactly those of ``entry``."""
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    if size != entry.size:
        return False
    kind, _, wanted = entry.digest.partition(":")
    # git hashes a header along with the content
    digest = hashlib.sha256() if kind == "sha256" else hashlib.sha1(b"blob %d\0" % size)
    with io.BytesIO(content) if isinstance(content, bytes) else open(content, "rb") as source:
        _feed(digest, source)
    return digest.hexdigest() == wanted


def holds(file: Path, entry: Entry) -> bool:
    """Whether there is such a file with exactly the bytes of ``entry``."""
    return file.is_file() and is_content_of(file, entry)


def _feed(digest: hashlib._Hash, source: BinaryIO) -> None:
    while block := source.read(_BLOCK_BYTES):
        digest.update(block)
