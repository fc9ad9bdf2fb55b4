# SPDX-License-Identifier: Apache-2.0
"""One thing to score: a clip and whatever is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from fvhydra.core.files import canonical_json, sha256_bytes, sha256_file


@dataclass(frozen=True)
class Sample:
    """One thing to score.

    Attributes:
        id: Unique in an evaluation, the same on every machine: the path relative to what was given, or what the
            manifest says.
        keys: ``video``, ``reference``, ``text_prompt``, ``audio``, ... to values; files are :class:`~pathlib.Path`.
        role: ``generated``, or ``reference`` for a sample that only feeds the reference side of set metrics.
        tags: What results are grouped by, such as ``dimension=color``.
    """

    id: str
    keys: Mapping[str, Any]
    role: str = "generated"
    tags: tuple[str, ...] = ()

    def content(self, keys: Iterable[str]) -> str:
        """Hex SHA-256 of what the given keys hold: the bytes of files, the canonical JSON of values.

        Two samples of the same content score the same under the same metric, whatever their names.

        Raises:
            OSError: A file cannot be read.
        """
        parts = {key: _content(self.keys.get(key)) for key in sorted(keys)}
        return sha256_bytes(canonical_json({"role": self.role, **parts}).encode())


def _content(value: Any) -> Any:
    if not isinstance(value, Path):
        return value
    status = value.stat()
    return _file(value, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=65536)
def _file(path: Path, size: int, modified_ns: int) -> str:
    """Several metrics ask for the same file's hash; size and time are there so that a changed file is read again."""
    return sha256_file(path)
